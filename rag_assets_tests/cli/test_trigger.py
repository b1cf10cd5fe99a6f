"""`rag-assets trigger` as another system runs it, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_assets_tests.cli.command import Ran, configure, rag_assets
from rag_assets_tests.client.server import ON_CALL, serving
from rag_assets_tests.serving.door import free_port

QUIET = '{"loggers": {"console": {"config": {"log_level": "ERROR"}}}}'


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound source, and one whose only document does not fit into its budget."""
    folder = tmp_path_factory.mktemp("triggered")
    file = configure(folder, "wiki", "poor", settings=ON_CALL)
    file.write_text(file.read_text() + "    token_budget: 1\n")
    (folder / "wiki" / "bread.md").write_text("# Bread\n\nRye bread needs a sourdough starter.\n")
    (folder / "poor" / "wine.md").write_text("# Wine\n\nThe Riesling is stored at eleven degrees.\n")
    return folder


@pytest.fixture(scope="module")
def url(root: Path) -> Iterator[str]:
    with serving(root) as url:
        yield url


def trigger(folder: Path, url: str, *arguments: str) -> Ran:
    return rag_assets(folder, "trigger", *arguments, RAG_ASSETS_URL=url)


@pytest.mark.slow
def test_several_sources_of_which_one_fails(root: Path, url: str) -> None:
    ran = trigger(root, url, "ingest", "--wait", "--timeout", "100", "--json")
    assert ran.code == 3, ran.err
    runs = {run["source"]: run for run in ran.json["runs"]}
    assert {name: run["status"] for name, run in runs.items()} == {"poor": "FAILURE", "wiki": "SUCCESS"}
    assert "token" in runs["poor"]["error"] and runs["wiki"]["error"] is None
    assert f"error: poor: {runs['poor']['error']}" in " ".join(ran.err.split())
    made = {one["asset"]: one["metadata"] for one in runs["wiki"]["materializations"]}
    assert made["raw_documents"]["documents_added"] == 1
    assert made["vector_index"]["rows_added"] == 1
    verdicts = {one["check"]: one["passed"] for one in runs["wiki"]["checks"]}
    assert verdicts["token_budget"] and verdicts["completeness"]
    assert not {one["check"]: one["passed"] for one in runs["poor"]["checks"]}["token_budget"]


@pytest.mark.slow
def test_one_source_is_ingested_and_a_request_is_launched_once(root: Path, url: str) -> None:
    (root / "quiet.json").write_text(QUIET)
    first = trigger(root, url, "ingest", "-s", "wiki", "--request-id", "7", "--config", "quiet.json", "--json")
    again = trigger(root, url, "ingest_source", "-s", "wiki", "--request-id", "7", "--config", QUIET, "--wait")
    assert (first.code, again.code) == (0, 0), again.err
    run = first.json["runs"][0]
    assert (run["job"], run["seconds"], run["materializations"]) == ("ingest_source", None, [])
    assert again.out.startswith("wiki: SUCCESS after ")
    assert run["run_id"] in again.out
    late = trigger(root, url, "ingest", "-s", "wiki", "--wait", "--timeout", "0", "--json")
    assert late.code == 1
    assert "is still" in late.json["runs"][0]["error"] and "is still" in late.error
    assert late.json["runs"][0]["status"] not in ("SUCCESS", "FAILURE")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ingest", "-s", "wiki", "-s", "gone"], "The server knows no source 'gone'"),
        (["bake"], "There is no job 'bake'; the jobs are: "),
        (["release", "-s", "wiki"], "The job 'release_index' runs over all sources"),
        (["release", "--config", '{"ops": {"nonsense": {}}}'], "nonsense"),
        (["ingest", "-s", "wiki", "--request-id", ""], "A request id is not empty."),
    ],
)
def test_a_mistake_launches_nothing(root: Path, url: str, arguments: list[str], message: str) -> None:
    ran = trigger(root, url, *arguments, "--wait")
    assert (ran.code, ran.out) == (1, "")
    assert message in ran.error


def test_no_server(tmp_path: Path) -> None:
    ran = trigger(tmp_path, f"http://127.0.0.1:{free_port()}", "ingest", "--json")
    assert ran.code == 1
    assert ran.json["error"]["type"] == "ServerError"
    assert "rag-assets dev" in ran.error


@pytest.mark.parametrize("given", ["nowhere.yaml", "broken.yaml", "list.yaml", "{broken"])
def test_a_configuration_that_cannot_be_read(tmp_path: Path, given: str) -> None:
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "list.yaml").write_text("- a")
    ran = trigger(tmp_path, "http://127.0.0.1:1", "ingest", "--config", given)
    assert ran.code == 1
    assert ran.error.startswith("--config" if given.startswith("{") else given)


def test_a_login_is_never_shown(tmp_path: Path) -> None:
    for login in ("secret", "user:secret"):
        ran = rag_assets(tmp_path, "trigger", "ingest", "--url", "http://127.0.0.1:1", RAG_ASSETS_AUTH=login)
        assert ran.code == 1
        assert "secret" not in ran.out + ran.err
    ran = rag_assets(tmp_path, "trigger", "ingest", "--url", "http://user:secret@127.0.0.1:1")
    assert ran.code == 1 and "secret" not in ran.out + ran.err
