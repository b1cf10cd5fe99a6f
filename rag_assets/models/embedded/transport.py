"""The embedded provider behind the `openai` client: a transport that answers where others would open a connection.

openai.OpenAI(
    api_key="embedded",
    base_url="http://embedded.invalid/v1",  # .invalid is reserved (RFC 6761): no such host can exist
    http_client=httpx2.Client(transport=EmbeddedTransport()),
)
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx2

from rag_assets.models.embedded.provider import EmbeddedProvider


class EmbeddedTransport(httpx2.BaseTransport):
    """Holds no connection and no thread: it can be pickled, shared between threads and used after a fork."""

    def __init__(self, provider: EmbeddedProvider | None = None) -> None:
        self._provider = provider or EmbeddedProvider()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url, body = request.url, request.read()
        reply = self._provider.handle(request.method, url.path, request.headers, body, url.query.decode("ascii"))
        if isinstance(reply.body, bytes):
            return httpx2.Response(reply.status, headers=reply.headers, content=reply.body, request=request)
        return httpx2.Response(reply.status, headers=reply.headers, stream=_Stream(reply.body), request=request)


class _Stream(httpx2.SyncByteStream):
    """Hands on each event as it is made; closing it early stops the making."""

    def __init__(self, events: Iterator[bytes]) -> None:
        self._events = events

    def __iter__(self) -> Iterator[bytes]:
        yield from self._events

    def close(self) -> None:
        close = getattr(self._events, "close", None)
        if close is not None:
            close()
