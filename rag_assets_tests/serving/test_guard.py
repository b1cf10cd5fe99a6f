"""The guard, over real HTTP, around an application that would do whatever it is asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from rag_assets.serving import AllowedHosts, Guard
from rag_assets.serving.reports import Reports
from rag_assets_tests.serving.door import Door, free_port

EVIL = "http://evil.example"
LIMIT_BYTES = 1_000


class Obedient:
    """Records what reaches it, and answers 200 to everything."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.headers: dict[str, str] = {}

    async def answer(self, request: Request) -> Response:
        body = (await request.body()).decode()
        self.headers = dict(request.headers)
        self.reached.append(f"{request.method} {request.url.path} {body}".strip())
        return PlainTextResponse("done", headers={"content-security-policy": "object-src 'none'"})

    async def talk(self, websocket: WebSocket) -> None:
        self.reached.append("websocket")
        await websocket.accept(subprotocol="graphql-ws")
        await websocket.receive_json()
        await websocket.send_json({"type": "connection_ack"})

    def application(self) -> Starlette:
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        return Starlette(
            routes=[
                WebSocketRoute("/{path:path}", self.talk),
                Route("/{path:path}", self.answer, methods=methods),
            ]
        )


@contextmanager
def obeying(inner: Obedient) -> Iterator[int]:
    """The port on which `inner` is served without a guard."""
    with _in_a_thread(inner.application(), port := free_port()):
        yield port


@contextmanager
def served(inner: Obedient, reports: Path, *, read_only: bool = False) -> Iterator[Door]:
    """The guard around `inner`."""
    port = free_port()
    guard = Guard(
        Reports(inner.application(), reports),
        AllowedHosts.at(port, "ui.example.org"),
        read_only=read_only,
        max_body_bytes=LIMIT_BYTES,
    )
    with _in_a_thread(guard, port):
        yield Door(port)


@contextmanager
def _in_a_thread(application: Any, port: int) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(application, port=port, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def inner() -> Obedient:
    return Obedient()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data") / "reports"


@pytest.fixture(scope="module")
def door(inner: Obedient, folder: Path) -> Iterator[Door]:
    with served(inner, folder) as door:
        yield door


@pytest.fixture(autouse=True)
def nothing_reached_yet(inner: Obedient) -> None:
    inner.reached.clear()


def test_what_the_ui_sends_passes(door: Door, inner: Obedient) -> None:
    query = json.dumps({"query": "{ version }"})
    own = {"origin": door.url, "sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"}
    assert door.send("GET", "/", accept="text/html").status == 200
    assert door.send("GET", "/graphql", accept="text/html").status == 200
    assert door.send("POST", "/graphql", query, content_type="application/json; charset=utf-8", **own).status == 200
    assert door.handshake(door.url) == 101
    assert inner.reached == ["GET /", "GET /graphql", f"POST /graphql {query}", "websocket"]


def test_a_program_without_an_origin_passes(door: Door, inner: Obedient) -> None:
    assert door.graphql("{ version }").status == 200
    assert door.send("POST", "/report_asset_materialization/a", "{}", content_type="application/json").status == 200
    assert door.handshake() == 101
    assert len(inner.reached) == 3


def test_a_configured_name_passes_at_any_port(door: Door) -> None:
    assert door.graphql("{ version }", host="ui.example.org", origin="https://ui.example.org").status == 200
    assert door.graphql("{ version }", host="ui.example.org:8443", origin="https://ui.example.org:8443").status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accept", ["text/html", "application/json", "image/png,*/*"])
@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "/%67raphql"])
def test_graphql_in_an_address(door: Door, inner: Obedient, method: str, accept: str, path: str) -> None:
    refused = door.send(method, f"{path}?query=mutation%7Bx%7D", accept=accept)
    assert refused.status == 405
    assert inner.reached == []


def test_an_error_says_what_to_do(door: Door) -> None:
    refused = door.send("GET", "/graphql?query=mutation%7Bx%7D")
    assert refused.headers["content-type"] == "application/json"
    assert refused.json["error"]["fix"] == "Send it by POST, as application/json."


@pytest.mark.parametrize("origin", [EVIL, "null", "http://127.0.0.1:1", "https://ui.example.org"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/graphql"), ("POST", "/report_asset_check/a"), ("GET", "/logs/x"), ("GET", "/reports/x.html")],
)
def test_a_foreign_origin(door: Door, inner: Obedient, origin: str, method: str, path: str) -> None:
    body = "{}" if method == "POST" else None
    assert door.send(method, path, body, content_type="application/json", origin=origin).status == 403
    assert inner.reached == []


@pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost:3000"])
def test_a_websocket_of_a_foreign_origin(door: Door, inner: Obedient, origin: str) -> None:
    assert door.handshake(origin) == 403
    assert inner.reached == []


@pytest.mark.parametrize("host", ["evil.example", "evil.example:3000", "127.0.0.1", "127.0.0.1:1", ""])
def test_a_foreign_host(door: Door, inner: Obedient, host: str) -> None:
    assert door.graphql("{ version }", host=host, origin=f"http://{host}").status == 421
    assert door.send("GET", "/", host=host).status == 421
    assert inner.reached == []


def test_a_websocket_by_a_foreign_host(door: Door, inner: Obedient) -> None:
    foreign = Door(door.port, name="evil.example")
    assert foreign.handshake(foreign.url) == 403
    assert inner.reached == []


def test_a_deciding_header_that_comes_twice(door: Door, inner: Obedient) -> None:
    query = json.dumps({"query": "{ version }"})
    for first, second in [("application/json", "text/plain"), ("text/plain", "application/json")]:
        twice = door.send("POST", "/graphql", query, content_type=first, also=f"content-type: {second}")
        assert twice.status == 400
    assert door.send("GET", "/", origin=door.url, also=f"origin: {EVIL}").status == 400
    assert inner.reached == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_page_may_link_here_and_not_load_from_here(
    door: Door, inner: Obedient, folder: Path, site: str
) -> None:
    link = {"sec_fetch_site": site, "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert door.send("GET", "/runs/1", **link).status == 200
    assert inner.reached == ["GET /runs/1"]
    frame = {**link, "sec_fetch_dest": "iframe"}
    image = {"sec_fetch_site": site, "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"}
    for foreign in (frame, image):
        assert door.send("GET", "/runs/1", **foreign).status == 403
    assert door.send("POST", "/graphql", "{}", content_type="application/json", **link).status == 403
    assert inner.reached == ["GET /runs/1"]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql", "",
     "text/plain; application/json", "application/jsonx"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/graphql?query=mutation%7Bx%7D", "/report_asset_materialization/a?metadata=1"])
def test_a_post_in_a_form_that_needs_no_permission(
    door: Door, inner: Obedient, content_type: str, path: str
) -> None:  # fmt: skip
    assert door.send("POST", path, '{"query": "mutation { x }"}', content_type=content_type).status == 415
    assert inner.reached == []


def test_a_post_without_a_type(door: Door, inner: Obedient) -> None:
    assert door.send("POST", "/graphql?query=mutation%7Bx%7D", b"").status == 415
    assert inner.reached == []


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"])
def test_methods_that_nothing_here_uses(door: Door, inner: Obedient, method: str) -> None:
    assert door.send(method, "/graphql", b"{}", content_type="application/json").status == 405
    assert inner.reached == []


def test_a_post_to_a_page(door: Door, inner: Obedient) -> None:
    assert door.send("POST", "/runs", "{}", content_type="application/json").status == 405
    assert inner.reached == []


def test_a_body_may_be_as_large_as_the_limit(door: Door, inner: Obedient) -> None:
    whole = b"x" * LIMIT_BYTES
    assert door.send("POST", "/graphql", whole, content_type="application/json").status == 200
    assert inner.reached == [f"POST /graphql {whole.decode()}"]


def test_a_larger_body_announced_or_not(door: Door, inner: Obedient) -> None:
    large = b"x" * (LIMIT_BYTES + 1)
    assert door.send("POST", "/graphql", large, content_type="application/json").status == 413
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(large), large)
    sent = door.send("POST", "/graphql", chunked, content_type="application/json", transfer_encoding="chunked")
    assert sent.status == 413
    assert inner.reached == []


def test_headers_for_the_browser(door: Door) -> None:
    answer = door.send("GET", "/")
    headers = answer.headers
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.policies == ("object-src 'none'", "frame-ancestors 'self'")


def test_a_read_only_guard_lets_queries_through_and_no_mutation(inner: Obedient, tmp_path: Path) -> None:
    with served(inner, tmp_path, read_only=True) as door:
        assert door.graphql("{ version }").status == 200
        assert door.graphql("query Q($x: Int) { a(x: $x) { b } }").status == 200
        assert door.handshake(door.url) == 101
        inner.reached.clear()
        for query in ["mutation { x }", "query A { version } mutation B { x }", "fragment F on T { a } mutation { x }"]:
            assert door.graphql(query).status == 403
        for body in ["", "[]", "nonsense", '{"query": "mutation {"}', '{"query": 1}', '[{"query": "mutation { x }"}]']:
            assert door.send("POST", "/graphql", body, content_type="application/json").status == 400
        assert door.send("POST", "/report_asset_check/a", "{}", content_type="application/json").status == 403
        assert inner.reached == []
