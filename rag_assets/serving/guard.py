"""Refuses what a foreign web page can make a browser send, before Dagster's application sees it.

The threat is a page in a browser on this machine, not another program on it: a program can send any header, so
`curl` without `Origin` passes. What a page can send without asking anyone: GET with any query, POST of a form or of
plain text, a websocket handshake, and each of them under a name of its own that resolves to this machine.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rag_assets.serving.hosts import AllowedHosts, same_host
from rag_assets.serving.request import Refusal, Request, read_body, replay

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

REPORTING = "/report_asset_"
"""How the paths start on which other systems report materializations, checks and observations."""
READING = ("GET", "HEAD")
DECIDING = frozenset({"host", "origin", "content-type"})
"""Headers that may come once only: two readers of two could believe different ones."""
MAX_BODY_BYTES = 4 * 1024 * 1024
"""The largest request of the UI is a launch with its configuration: kilobytes."""
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    # Not DENY: the UI shows a notebook in a frame of its own origin.
    "x-frame-options": "SAMEORIGIN",
}
FRAMES = "frame-ancestors 'self'"


@dataclass
class Guard:
    """An ASGI application around another one. `read_only` refuses every change too, whatever the inner one allows."""

    app: ASGIApp
    hosts: AllowedHosts
    read_only: bool = False
    max_body_bytes: int = MAX_BODY_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the request through, or answers it with a `Refusal`."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request = Request.of(scope)
        try:
            self._check_sender(request, handshake=scope["type"] == "websocket")
            if scope["type"] == "http":
                self._check_request(request)
                if request.method == "POST":
                    body = await read_body(receive, request, self.max_body_bytes)
                    if self.read_only:
                        _check_reads_only(request, body)
                    receive = replay(body, receive)
        except Refusal as refusal:
            await _refuse(scope, receive, send, refusal)
            return
        await self.app(scope, receive, _with_security_headers(send))

    def _check_sender(self, request: Request, *, handshake: bool) -> None:
        """By which name, and from which page."""
        if twice := DECIDING & request.repeated:
            raise Refusal(400, f"The header {min(twice)} came twice.", "Send it once.")
        host = request.headers.get("host", "")
        if not self.hosts.admit(host):
            raise Refusal(
                421,
                f"This server does not answer to the host {host!r}.",
                "Use http://127.0.0.1 with the port of the UI; for a name of yours: rag-assets dev --allow-host NAME",
            )
        origin = request.headers.get("origin")
        if origin is not None and not same_host(origin, host):
            raise Refusal(403, f"A page of {origin!r} may not use {host}.", "Use the UI at its own address.")
        site = request.headers.get("sec-fetch-site", "none")
        if site not in ("none", "same-origin") and (handshake or not _opens_a_page(request)):
            raise Refusal(403, f"Another page asked for this ({site}).", "Open the address in a tab of its own.")

    def _check_request(self, request: Request) -> None:
        """By which method, and in which form."""
        if request.method in READING:
            if request.is_graphql and not _asks_for_graphiql(request):
                raise Refusal(405, "GraphQL is not answered over GET.", "Send it by POST, as application/json.")
            return
        changes = request.is_graphql or request.path.startswith(REPORTING)
        if request.method != "POST" or not changes:
            raise Refusal(405, f"{request.method} is not used here.", "Use GET, or POST to /graphql.")
        if self.read_only and not request.is_graphql:
            raise Refusal(403, "This server is read-only.", "Report to the server that may be written to.")
        # Other types are what a form or a script can send to another origin without asking it first.
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise Refusal(415, "The body is not application/json.", "Send the header Content-Type: application/json.")


def _opens_a_page(request: Request) -> bool:
    """A link to the UI from elsewhere; not a frame, an image or a script."""
    headers = request.headers
    return (
        request.method in READING
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def _asks_for_graphiql(request: Request) -> bool:
    """The page to write queries on. With a query in its address it would show, or run, what a foreign link says."""
    return not request.query and "text/html" in request.headers.get("accept", "")


def _check_reads_only(request: Request, body: bytes) -> None:
    """Refuses a document with a mutation in it, also one that Dagster does not hold a permission for."""
    from graphql import GraphQLError, OperationType, parse
    from graphql.language import OperationDefinitionNode

    try:
        document = parse(json.loads(body)["query"])
    except (ValueError, LookupError, TypeError, RecursionError, GraphQLError):
        raise Refusal(400, "The body is not a GraphQL request.", 'Send {"query": "…", "variables": {…}}.') from None
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode) and definition.operation is OperationType.MUTATION:
            raise Refusal(403, "This server is read-only.", "Use the server that may be written to.")


def _with_security_headers(send: Send) -> Send:
    """Adds what the inner application does not set itself; its own content policy stays, and frames are added."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", []))
            present = {name.lower() for name, _ in headers}
            added = {**SECURITY_HEADERS, "content-security-policy": FRAMES}
            headers += [
                (name.encode(), value.encode())
                for name, value in added.items()
                # Two policies hold both; of any other header there must be one.
                if name == "content-security-policy" or name.encode() not in present
            ]
            message = {**message, "headers": headers}
        await send(message)

    return sending


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    if scope["type"] == "websocket":
        await receive()  # the handshake; closed before it is accepted, it becomes the status 403
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.problem[:120]})
        return
    error: dict[str, Any] = {"error": {"problem": refusal.problem, "fix": refusal.fix}}
    headers = {"content-type": "application/json", "cache-control": "no-store", **SECURITY_HEADERS}
    start = {"type": "http.response.start", "status": refusal.status}
    await send({**start, "headers": [(name.encode(), value.encode()) for name, value in headers.items()]})
    await send({"type": "http.response.body", "body": json.dumps(error, ensure_ascii=False).encode()})
