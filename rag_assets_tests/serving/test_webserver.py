"""Dagster's own webserver behind the guard: what is refused changes nothing, and the UI works in a browser."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_assets_tests.browser import browser_page, needs_chromium
from rag_assets_tests.cli.command import configure
from rag_assets_tests.serving.door import SET_LIMIT, Door, running_door

EVIL = "http://evil.example"
LINEAGE = "/locations/rag_assets/asset-groups/ingestion/lineage"
ASSETS = ("raw_documents", "chunks", "embeddings", "vector_index")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("door")
    configure(folder, "wiki")
    reports = folder / ".rag_assets/reports"
    reports.mkdir(parents=True)
    (reports / "a.html").write_text("<h1>A report</h1>")
    with running_door(folder) as door:
        yield door


def mutation(pool: str) -> str:
    return SET_LIMIT.replace("KEY", pool)


def test_the_ui_may_change_something(door: Door) -> None:
    """Without this, the tests below could pass with a mutation that never works."""
    answer = door.graphql(mutation("own"), origin=door.url, sec_fetch_site="same-origin")
    assert answer.json == {"data": {"setConcurrencyLimit": True}}
    assert "own" in door.pools()


def test_a_mutation_by_get(door: Door) -> None:
    query = urllib.parse.quote(mutation("by-get"))
    assert door.send("GET", f"/graphql?query={query}").status == 405
    assert door.send("GET", f"/graphql?query={query}", accept="text/html").status == 405
    assert "by-get" not in door.pools()


def test_a_mutation_of_a_foreign_page(door: Door) -> None:
    assert door.graphql(mutation("foreign-origin"), origin=EVIL).status == 403
    assert door.graphql(mutation("foreign-origin"), origin="null").status == 403
    assert "foreign-origin" not in door.pools()


def test_a_mutation_by_a_foreign_name(door: Door) -> None:
    foreign = Door(door.port, name="evil.example")
    assert foreign.graphql(mutation("foreign-host"), origin=foreign.url).status == 421
    assert "foreign-host" not in door.pools()


def test_a_mutation_in_a_form(door: Door) -> None:
    query = urllib.parse.quote(mutation("form"))
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "text/plain; application/json"):
        body = json.dumps({"query": mutation("form")})
        assert door.send("POST", f"/graphql?query={query}", body, content_type=content_type).status == 415
    assert "form" not in door.pools()


def test_a_report_on_an_asset(door: Door) -> None:
    """Another system may report; a foreign page may not."""
    path, body = "/report_asset_materialization/from_elsewhere", json.dumps({"metadata": {}})
    assert door.send("POST", path, body, content_type="application/json", origin=EVIL).status == 403
    assert door.send("POST", path, body, content_type="text/plain").status == 415
    assert reported(door) == 0
    assert door.send("POST", path, body, content_type="application/json").status == 200
    assert reported(door) == 1


def reported(door: Door) -> int:
    """How often `from_elsewhere` was reported as materialized."""
    query = (
        '{ assetOrError(assetKey: {path: ["from_elsewhere"]}) { ... on Asset { assetMaterializations { runId } } } }'
    )
    return len(door.graphql(query).json["data"]["assetOrError"]["assetMaterializations"])


def test_websockets(door: Door) -> None:
    assert door.handshake(door.url) == 101
    assert door.handshake() == 101
    assert door.handshake(EVIL) == 403


def test_reports(door: Door) -> None:
    assert door.send("GET", "/reports/a.html").body == "<h1>A report</h1>"
    assert door.send("GET", "/reports/%2e%2e/ledger.sqlite").status == 404


@needs_chromium
def test_the_ui_in_a_browser(door: Door) -> None:
    with browser_page() as page:
        page.open(door.url + LINEAGE)
        page.wait_for(*ASSETS)
        page.settle(2)
        assert page.refused == []
        assert page.websockets == [101]
        assert page.frames_received > 0


@needs_chromium
def test_a_foreign_page_in_a_browser(door: Door, tmp_path: Path) -> None:
    """A real page of another origin tries what such pages try; the browser sends it, the guard refuses it."""
    by_get = f"{door.url}/graphql?query={urllib.parse.quote(mutation('page-get'))}"
    by_form = f"{door.url}/graphql?query={urllib.parse.quote(mutation('page-form'))}"
    socket = door.url.replace("http", "ws") + "/graphql"
    (tmp_path / "page.html").write_text(f"""<!doctype html><body><p id=done></p><img src="{by_get}">
      <iframe name=f></iframe><form id=p method=post enctype=text/plain target=f action="{by_form}"></form><script>
      document.getElementById("p").submit()
      const json = JSON.stringify({{query: {json.dumps(mutation("page-fetch"))}}})
      const plain = fetch("{door.url}/graphql", {{method: "POST", mode: "no-cors", body: json}})
      const asked = fetch("{door.url}/graphql", {{method: "POST", body: json,
        headers: {{"content-type": "application/json"}}}})
      const socket = new Promise(done => {{
        const s = new WebSocket("{socket}", "graphql-ws")
        s.onopen = () => done("open"); s.onerror = () => done("refused") }})
      Promise.allSettled([plain, asked, socket]).then(r => setTimeout(() => {{
        document.getElementById("done").innerText = "tried, socket " + r[2].value }}, 1000))
      </script>""")
    with browser_page() as page:
        page.open((tmp_path / "page.html").as_uri())
        shown = page.wait_for("tried")
        assert "socket refused" in shown
        assert sum(refusal.startswith(("403", "405")) for refusal in page.refused) >= 2
    assert {pool for pool in door.pools() if pool.startswith("page-")} == set()
