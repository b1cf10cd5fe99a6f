"""The UI as a process, `rag-assets dev`, and raw requests to it in which every header can be chosen."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from rag_assets_tests.cli.command import FORGOTTEN

START_SECONDS = 120
STOP_SECONDS = 30
SET_LIMIT = 'mutation { setConcurrencyLimit(concurrencyKey: "KEY", limit: 1) }'
"""A mutation whose effect can be seen: a pool called KEY exists afterwards."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: str
    policies: tuple[str, ...] = ()
    """Every `content-security-policy`, for all of them hold."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Door:
    """A server on loopback. `name` goes into `Host`; `headers` are sent with every request."""

    port: int
    name: str = "127.0.0.1"
    log: Path | None = None
    tls: ssl.SSLContext | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"{self.name}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}"

    def send(
        self, method: str, path: str, body: str | bytes | None = None, *, also: str = "",
        **headers: str,
    ) -> Answer:  # fmt: skip
        """One request with exactly these headers; `content_type` stands for `content-type`. `also` is a line more."""
        given = {"host": self.host, **self.headers} | {key.replace("_", "-"): value for key, value in headers.items()}
        connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self.tls)
            if self.tls
            else http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        )
        payload = body.encode() if isinstance(body, str) else body
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for key, value in given.items():
                connection.putheader(key, value)
            if also:
                connection.putheader(*also.split(": "))
            if payload is not None and "transfer-encoding" not in given and "content-length" not in given:
                connection.putheader("content-length", str(len(payload)))
            connection.endheaders(payload)
            answer = connection.getresponse()
            received = [(key.lower(), value) for key, value in answer.getheaders()]
            policies = tuple(value for key, value in received if key == "content-security-policy")
            return Answer(answer.status, dict(received), answer.read().decode("utf-8", "replace"), policies)
        finally:
            connection.close()

    def graphql(self, query: str, **headers: str) -> Answer:
        """A query as the UI sends it, but for `headers`."""
        return self.send(
            "POST", "/graphql", json.dumps({"query": query}), **{"content_type": "application/json", **headers}
        )

    def pools(self) -> set[str]:
        """The pools that exist: what `SET_LIMIT` made."""
        answer = self.graphql("{ instance { concurrencyLimits { concurrencyKey } } }")
        assert answer.status == 200, answer
        return {limit["concurrencyKey"] for limit in answer.json["data"]["instance"]["concurrencyLimits"]}

    def handshake(self, origin: str | None = None, **headers: str) -> int:
        """The status of a websocket handshake for GraphQL; after 101 a message and its acknowledgement were passed."""
        scheme = "wss" if self.tls else "ws"
        given = {**self.headers, **({"origin": origin} if origin else {}), **headers}
        # The address is loopback, the name in `Host` may be any.
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        try:
            with connect(
                f"{scheme}://{self.host}/graphql", sock=sock, ssl=self.tls, additional_headers=given, proxy=None,
                subprotocols=[Subprotocol("graphql-ws")], open_timeout=30,
            ) as connection:  # fmt: skip
                connection.send(json.dumps({"type": "connection_init"}))
                assert json.loads(connection.recv(timeout=30)) == {"type": "connection_ack"}
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code


def start(folder: Path, *options: str, **also: str) -> subprocess.Popen[bytes]:
    """`rag-assets dev` in `folder`, as the leader of a session; what it says goes to `folder/log`.

    `also` are variables for its environment.
    """
    environment = {key: value for key, value in os.environ.items() if key not in FORGOTTEN} | also
    with (folder / "log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "rag_assets.cli.main", "dev", *options],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def await_line(process: subprocess.Popen[bytes], folder: Path, text: str) -> str:
    """The first line of its log with `text` in it."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        said = (folder / "log").read_text("utf-8")
        if line := next((line for line in said.splitlines() if text in line), None):
            return line
        assert process.poll() is None, said
        time.sleep(0.1)
    raise AssertionError((folder / "log").read_text("utf-8"))


@contextmanager
def running_door(folder: Path, *options: str, **also: str) -> Iterator[Door]:
    """A started `rag-assets dev` that answers, stopped at the end as by Ctrl-C."""
    port = free_port()
    process = start(folder, "--port", str(port), *options, **also)
    try:
        await_line(process, folder, f"http://127.0.0.1:{port}")
        yield Door(port, log=folder / "log")
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        finally:
            process.kill()
