"""A server on loopback that speaks the OpenAI wire, fails as told, and remembers every request.

    with OpenAIServer() as server:
        server.script(Fault(status=429, headers={"retry-after": "0.01"}), "ok")
        client = openai.OpenAI(api_key="sk-test", base_url=server.base_url)

Faults are taken from the script one request at a time, in the order of arrival; without a script every request is
answered. Vectors are a function of the text alone, so that equal texts get equal vectors in any batch.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import numpy as np
import pytest

PICTURE = b"\x89PNG\r\n\x1a\n and the rest of a picture"
API_KEY = "sk-test-0123456789abcdefghijklmnop"
Kind = Literal[
    "ok", "hang", "cut", "cut_stream", "html", "wrong_dimension", "nan_vectors", "zero_vectors", "null_vectors",
    "missing_vector", "no_usage", "number_lists",
]  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """What to answer one request with: an error by `status`, or an answer that is wrong in the way `kind` says."""

    kind: Kind = "ok"
    status: int = 200
    code: str | None = None
    message: str = "scripted"
    headers: dict[str, str] = field(default_factory=dict)


QUOTA = Fault(status=429, code="insufficient_quota", message="You exceeded your current quota.")
UNAUTHORIZED = Fault(status=401, code="invalid_api_key", message=f"Incorrect API key provided: {API_KEY}.")


@dataclass(frozen=True)
class Request:
    """One request as it arrived. `at` is a monotonic time; `retry` is the client's own retry count."""

    method: str
    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    at: float

    @property
    def inputs(self) -> list[str]:
        """The texts of a request for embeddings."""
        texts = self.body.get("input", [])
        return [texts] if isinstance(texts, str) else list(texts)

    @property
    def retry(self) -> int:
        return int(self.headers.get("x-stainless-retry-count", 0))


class OpenAIServer:
    """Listens on a free port of 127.0.0.1 from `__enter__` to `__exit__`.

    `refuse` makes any request for embeddings with a matching text fail with status 400, `too_large` with 413; `damage`
    gives matching texts a vector of NaN, `poison` all texts of a request with a matching one. `reply` makes a chat
    model's answer from the request's body. `weather` says what a request meets while the script is empty.

    `paid` counts how often each text was answered with status 200 and a usable vector.
    """

    def __init__(self, *, dimension: int = 8) -> None:
        self.dimension = dimension
        self.requests: list[Request] = []
        self.refuse: Callable[[str], bool] = lambda text: False
        self.too_large: Callable[[str], bool] = lambda text: False
        self.damage: Callable[[str], bool] = lambda text: False
        self.poison: Callable[[str], bool] = lambda text: False
        self.weather: Callable[[], Fault | Kind] = Fault
        self.paid: Counter[str] = Counter()
        self.reply: Callable[[dict[str, Any]], str] = lambda body: "A scripted answer."
        self.models = {
            "text-embedding-3-small",
            "test-embedding",
            "gpt-4o-mini",
            "gpt-5.4-mini",
            "test-chat",
            "gpt-image-1",
        }
        self.in_flight = 0
        self.most_in_flight = 0
        self.released = threading.Event()  # ends requests that hang
        self._script: deque[Fault] = deque()
        self._lock = threading.Lock()
        self._http: ThreadingHTTPServer | None = None

    @property
    def base_url(self) -> str:
        assert self._http is not None, "the server runs inside its `with` statement"
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def script(self, *faults: Fault | Kind) -> None:
        """Appends what the next requests meet, one each."""
        with self._lock:
            self._script.extend(fault if isinstance(fault, Fault) else Fault(kind=fault) for fault in faults)

    def inputs(self) -> list[str]:
        """Every text that was sent to be embedded, in the order of arrival, refused and retried ones included."""
        return [text for request in self.requests for text in request.inputs]

    def vector(self, text: str) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The vector this server gives `text`; not of unit length."""
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
        return np.random.default_rng(seed).normal(size=self.dimension).astype(np.float32) * 3

    def __enter__(self) -> OpenAIServer:
        self._http = _QuietServer(("127.0.0.1", 0), _handler_of(self))
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._http is not None
        self.released.set()
        self._http.shutdown()
        self._http.server_close()

    def arrived(self, request: Request) -> Fault:
        """Notes a request and says what it meets. Called by the handler."""
        with self._lock:
            self.requests.append(request)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            met = self._script.popleft() if self._script else self.weather()
            return met if isinstance(met, Fault) else Fault(kind=met)

    def answered(self, texts: list[str]) -> None:
        """Notes texts whose usable vectors are sent now. Called by the handler."""
        with self._lock:
            self.paid.update(texts)

    def left(self) -> None:
        """Notes that a request was answered. Called by the handler."""
        with self._lock:
            self.in_flight -= 1


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


def _handler_of(server: OpenAIServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        owner = server

    return Handler


class _Handler(BaseHTTPRequestHandler):
    owner: OpenAIServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        """Says nothing."""

    def do_GET(self) -> None:
        self._handle({})

    def do_DELETE(self) -> None:
        self._handle({})

    def do_POST(self) -> None:
        self._handle(json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}"))

    def _handle(self, body: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        fault = self.owner.arrived(Request(self.command, self.path, body, headers, time.monotonic()))
        try:
            self._answer(body, fault)
        finally:
            self.owner.left()

    def _answer(self, body: dict[str, Any], fault: Fault) -> None:
        if fault.kind == "hang":
            self.owner.released.wait(30)
            self.close_connection = True
        elif fault.kind == "cut":
            self.send_response(200)
            self.send_header("content-length", "1000")
            self.end_headers()
            self.wfile.write(b'{"data": [')
            self.close_connection = True
        elif fault.kind == "html":
            self._send(200, b"<html><body>It works!</body></html>", {"content-type": "text/html"})
        elif fault.status != 200:
            self._fail(fault.status, fault.message, fault.code, fault.headers)
        elif self.path == "/v1/models":
            self._send_json({"object": "list", "data": [{"id": name, "object": "model"} for name in self.owner.models]})
        elif self.path.startswith("/v1/models/") and (name := self.path.rpartition("/")[2]) in self.owner.models:
            if self.command == "DELETE":
                self.owner.models.remove(name)
            self._send_json({"id": name, "object": "model", "deleted": self.command == "DELETE"})
        elif self.path.startswith("/v1/models/"):
            self._fail(404, f"The model '{name}' does not exist", "model_not_found")
        elif body.get("model") not in self.owner.models:
            self._fail(404, f"The model `{body.get('model')}` does not exist", "model_not_found")
        elif self.path == "/v1/embeddings":
            self._embeddings(body, fault)
        elif self.path == "/v1/chat/completions":
            self._stream_chat(body, fault) if body.get("stream") else self._chat(body, fault)
        elif self.path == "/v1/responses":
            self._responses(body)
        elif self.path == "/v1/images/generations":
            made = [{"b64_json": base64.b64encode(PICTURE).decode()}]
            self._send_json({"created": 1, "data": made, "usage": {"input_tokens": 12, "output_tokens": 272}})
        else:
            self._fail(404, f"Invalid URL ({self.command} {self.path})")

    def _embeddings(self, body: dict[str, Any], fault: Fault) -> None:
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        for position, text in enumerate(texts):
            if not text or self.owner.refuse(text):
                self._fail(400, f"'$.input[{position}]' is invalid.", "invalid_request_error")
                return
            if self.owner.too_large(text):
                self._fail(413, "The request is too large.")
                return
        sound = fault.kind in ("ok", "no_usage", "number_lists")
        if sound and any(self.owner.poison(text) for text in texts):
            fault, sound = replace(fault, kind="nan_vectors"), False
        damaged = [self.owner.damage(text) for text in texts]
        data = [
            {"object": "embedding", "index": position, "embedding": self._vector(text, body, fault, broken)}
            for position, (text, broken) in enumerate(zip(texts, damaged, strict=True))
        ]
        if fault.kind == "missing_vector":
            data.pop()
        data.reverse()  # the order belongs to the index, not to the place in the list
        tokens = sum(len(text.split()) for text in texts)
        answer: dict[str, Any] = {"object": "list", "model": body["model"], "data": data}
        if fault.kind != "no_usage":
            answer["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
        if sound:
            self.owner.answered([text for text, broken in zip(texts, damaged, strict=True) if not broken])
        self._send_json(answer, fault.headers)

    def _vector(self, text: str, body: dict[str, Any], fault: Fault, damaged: bool) -> Any:
        vector = self.owner.vector(text)[: body.get("dimensions", self.owner.dimension)]
        if fault.kind == "nan_vectors" or damaged:
            vector = np.full_like(vector, np.nan)
        elif fault.kind == "zero_vectors":
            vector = np.zeros_like(vector)
        elif fault.kind == "wrong_dimension":
            vector = vector[:-1]
        elif fault.kind == "null_vectors":
            return None
        if body.get("encoding_format") == "base64" and fault.kind != "number_lists":
            return base64.b64encode(vector.astype("<f4").tobytes()).decode()
        return vector.tolist()

    def _chat(self, body: dict[str, Any], fault: Fault) -> None:
        text = self.owner.reply(body)
        answer: dict[str, Any] = _completion(body, "chat.completion")
        message = {"role": "assistant", "content": text}
        answer["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
        if fault.kind != "no_usage":
            answer["usage"] = _chat_usage(body, text)
        self._send_json(answer, fault.headers)

    def _responses(self, body: dict[str, Any]) -> None:
        text = self.owner.reply(body)
        content = [{"type": "output_text", "text": text, "annotations": []}]
        output = {"type": "message", "id": "msg-1", "role": "assistant", "status": "completed", "content": content}
        sent, answered = len(body["input"].split()), len(text.split())
        usage = {"input_tokens": sent, "output_tokens": answered, "total_tokens": sent + answered}
        answer = {"id": "resp-1", "object": "response", "model": body["model"], "output": [output], "usage": usage}
        self._send_json(answer)

    def _stream_chat(self, body: dict[str, Any], fault: Fault) -> None:
        text = self.owner.reply(body)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.send_header("x-request-id", "req-stream")
        self.end_headers()
        chunk = _completion(body, "chat.completion.chunk")
        words = text.split(" ")
        for position, word in enumerate(words):
            if fault.kind == "cut_stream" and position == len(words) // 2:
                self.close_connection = True
                return
            piece = word if position == 0 else f" {word}"
            self._event(chunk | {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
        self._event(chunk | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if fault.kind != "no_usage" and (body.get("stream_options") or {}).get("include_usage"):
            self._event(chunk | {"choices": [], "usage": _chat_usage(body, text)})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, value: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _fail(self, status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None) -> None:
        error = {"message": message, "type": code or "error", "param": None, "code": code}
        self._send(status, json.dumps({"error": error}).encode(), headers or {})

    def _send_json(self, value: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._send(200, json.dumps(value).encode(), headers or {})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"content-type": "application/json", "x-request-id": "req-1"} | headers).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _completion(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body["model"]}


def _chat_usage(body: dict[str, Any], text: str) -> dict[str, int]:
    sent, answered = sum(len(str(m["content"]).split()) for m in body["messages"]), len(text.split())
    return {"prompt_tokens": sent, "completion_tokens": answered, "total_tokens": sent + answered}


@pytest.fixture
def openai_server() -> Iterator[OpenAIServer]:
    """A running server; import this fixture into a `conftest.py` or a test module to use it."""
    with OpenAIServer() as server:
        yield server
