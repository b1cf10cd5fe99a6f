"""An HTTP request as the guard looks at it, its body, and the refusal it may get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

GRAPHQL = "/graphql"


class Refusal(Exception):  # noqa: N818  # an answer more than an error
    """Why a request goes no further: an HTTP status, what is wrong with it, and what to do."""

    def __init__(self, status: int, problem: str, fix: str) -> None:
        self.status = status
        self.problem = problem
        self.fix = fix
        super().__init__(problem)


@dataclass(frozen=True)
class Request:
    """What the rules look at. `headers` have lower-case names; one that came twice is in `repeated`."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    repeated: frozenset[str]

    @classmethod
    def of(cls, scope: Scope) -> Request:
        """The HTTP request or websocket handshake of an ASGI scope; a handshake has the method GET."""
        headers: dict[str, str] = {}
        repeated = set()
        for raw_name, raw_value in scope["headers"]:
            name = raw_name.decode("latin-1").lower()
            if name in headers:
                repeated.add(name)
            headers[name] = raw_value.decode("latin-1")
        query = scope.get("query_string", b"").decode("latin-1")
        return cls(scope.get("method", "GET"), scope["path"], query, headers, frozenset(repeated))

    @property
    def is_graphql(self) -> bool:
        return self.path.rstrip("/") == GRAPHQL


async def read_body(receive: Receive, request: Request, max_bytes: int) -> bytes:
    """The whole body. Raises `Refusal` as soon as it is known to be too large."""
    too_large = Refusal(413, f"The body is larger than {max_bytes:,} bytes.", "Send less at once.")
    announced = request.headers.get("content-length", "0")
    if not announced.isascii() or not announced.isdigit() or int(announced) > max_bytes:
        raise too_large
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "The body broke off.", "Send it again.")
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise too_large
        more = message.get("more_body", False)
    return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` first, and then whatever comes: the disconnect."""
    unread = [body]

    async def replaying() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return replaying
