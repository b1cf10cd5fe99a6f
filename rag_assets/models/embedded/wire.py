"""The OpenAI wire format, as far as the embedded provider speaks it: replies, errors, streamed events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """A response: status, headers, and a body that may still be under way."""

    status: int
    headers: dict[str, str]
    body: bytes | Iterator[bytes]


class WireError(Exception):
    """An error of the API: a status and the fields of OpenAI's error object."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.param = param
        self.code = code
        self.headers = dict(headers or {})


def json_reply(content: JsonObject, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # A lone surrogate in an echoed text has no UTF-8 of its own.
    return Reply(status, {"content-type": "application/json", **(headers or {})}, body.encode("utf-8", "replace"))


def error_reply(error: WireError) -> Reply:
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    content = {"message": error.message, "type": kind, "param": error.param, "code": error.code}
    # Waiting does not change what this process can do: the client need not try again.
    return json_reply({"error": content}, error.status, {"x-should-retry": "false", **error.headers})


def event_stream(events: Iterable[JsonObject]) -> Reply:
    """Server-sent events, one for each object, made as the reader asks for them, and the end mark."""

    def body() -> Iterator[bytes]:
        for event in events:
            data = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
            yield f"data: {data}\n\n".encode("utf-8", "replace")
        yield b"data: [DONE]\n\n"

    return Reply(200, {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store"}, body())


def parse_object(body: bytes) -> JsonObject:
    """The JSON object of a request; raises `WireError`."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError("The body is not valid JSON.") from error
    if not isinstance(content, dict):
        raise WireError("The body must be a JSON object.")
    return content


def required_text(request: JsonObject, key: str) -> str:
    """The text under `key`; raises `WireError` where it is missing or not a text."""
    value = request.get(key)
    if not isinstance(value, str) or not value:
        raise WireError(f"`{key}` must be a text that is not empty.", param=key)
    return value


def refuse_unknown(request: JsonObject, known: frozenset[str]) -> None:
    """Raises `WireError` for a parameter that would otherwise be ignored without a word."""
    for key in request.keys() - known:
        if request[key] is not None:
            raise WireError(f"The embedded provider does not know the parameter `{key}`.", param=key)
