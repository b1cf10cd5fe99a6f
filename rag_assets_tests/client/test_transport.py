"""Every way in which a server can be the wrong one, over real HTTP on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from rag_assets.client import Client
from rag_assets.client.transport import Transport
from rag_assets.errors import AccessRefusedError, ConfigurationError, RunError, RunTimeoutError, ServerError
from rag_assets_tests.serving.door import free_port

LOGIN = "Basic dXNlcjpwYXNz"


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], tuple[int, str]]) -> Iterator[str]:
    """A server whose every answer to a POST is what `answer` says: a status and a body."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = answer(self)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_nothing_listens() -> None:
    with Client(f"http://127.0.0.1:{free_port()}") as client, pytest.raises(ServerError, match="rag-assets dev"):
        client.jobs()


def test_a_server_that_does_not_answer_in_time() -> None:
    def slow(_: BaseHTTPRequestHandler) -> tuple[int, str]:
        time.sleep(0.5)
        return 200, "{}"

    with (
        answering(slow) as url,
        Client(url, timeout_seconds=0.1) as client,
        pytest.raises(ServerError, match=r"did not answer within 0\.1 s"),
    ):
        client.jobs()


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, "<html>It works!</html>"), (200, "[]"), (404, '{"detail": "Not Found"}'), (502, "Bad Gateway"), (302, "")],
)
def test_another_program_answers(status: int, body: str) -> None:
    with (
        answering(lambda _: (status, body)) as url,
        Client(url) as client,
        pytest.raises(ServerError, match=f"HTTP {status}") as raised,
    ):
        client.jobs()
    assert not isinstance(raised.value, AccessRefusedError)


def test_a_refusal_with_a_status_of_500_is_phrased_and_no_wrong_address() -> None:
    """What Dagster answers to the end of a run whose code server is gone."""
    refused = {
        "__typename": "TerminateRunFailure",
        "message": "failed to connect: UNAVAILABLE",
        "run": {"runId": "1", "status": "STARTED"},
    }
    with (
        answering(lambda _: (500, json.dumps({"data": {"terminateRun": refused}}))) as url,
        Client(url) as client,
        pytest.raises(RunError, match="Run 1 cannot be cancelled: failed to connect: UNAVAILABLE"),
    ):
        client.cancel("1")


def test_graphql_that_does_not_fit() -> None:
    body = json.dumps({"data": None, "errors": [{"message": "Cannot query field 'workspaceOrError'."}]})
    with (
        answering(lambda _: (400, body)) as url,
        Client(url) as client,
        pytest.raises(ServerError, match=r"Cannot query field.*both to the same version"),
    ):
        client.jobs()


def test_a_proxy_wants_a_login_and_gets_it_with_every_request() -> None:
    seen = []

    def proxy(request: BaseHTTPRequestHandler) -> tuple[int, str]:
        seen.append((request.path, request.headers["Authorization"]))
        return (200, '{"data": {}}') if seen[-1][1] == LOGIN else (401, "Who are you?")

    with answering(proxy) as url:
        with (
            Client(url, headers={"Authorization": "Basic d3Jvbmc6d3Jvbmc="}) as client,
            pytest.raises(AccessRefusedError, match="RAG_ASSETS_AUTH") as raised,
        ):
            client.jobs()
        assert "d3Jvbmc" not in str(raised.value)
        http = Transport(f"{url}/dagster/", headers={"Authorization": LOGIN})
        assert http.graphql("{ version }") == {}
        http.close()
    assert seen[-1] == ("/dagster/graphql", LOGIN)


def test_the_sentence_of_the_servers_guard_is_passed_on() -> None:
    body = json.dumps({"error": {"problem": "This server is read-only.", "fix": "Use the other one."}})
    with (
        answering(lambda _: (403, body)) as url,
        Client(url) as client,
        pytest.raises(AccessRefusedError, match=r"This server is read-only\. Use the other one\."),
    ):
        client.jobs()


@pytest.mark.parametrize("url", ["http://user:secret@host", "ftp://host", "host:3000", "", "http://", "http://[::1"])
def test_a_wrong_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"http://127\.0\.0\.1:3000") as raised:
        Client(url)
    assert "secret" not in str(raised.value)


def test_a_wait_survives_a_short_absence_and_gives_up_in_time() -> None:
    run = {
        "__typename": "Run", "runId": "1", "jobName": "job", "status": "SUSPENDED", "tags": [], "creationTime": 1.0,
        "startTime": None, "endTime": None, "runConfig": {},
    }  # fmt: skip
    asked: list[None] = []

    def restarting(_: BaseHTTPRequestHandler) -> tuple[int, str]:
        asked.append(None)
        return (502, "") if len(asked) in (2, 3) else (200, json.dumps({"data": {"runOrError": run}}))

    with (
        answering(restarting) as url,
        Client(url) as client,
        pytest.raises(RunTimeoutError, match="still SUSPENDED"),
    ):
        client.wait("1", timeout_seconds=0.5, poll_seconds=0.02)
    assert len(asked) > 4
    with answering(lambda _: (502, "")) as url, Client(url) as client, pytest.raises(ServerError, match="HTTP 502"):
        client.wait("1", timeout_seconds=0.1, poll_seconds=0.02)
