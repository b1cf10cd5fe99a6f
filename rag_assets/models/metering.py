"""Counts what a client's calls used by reading the answers on their way through, however the call was made.

The official client has many ways to make one call: plain, parsed, raw, streamed, on a copy with other options. They all
pass the HTTP layer, and only there are all of them seen. Calls of models are counted (chat, completions, responses,
embeddings); files and jobs are not calls of a model.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from rag_assets.config import Price
from rag_assets.models import catalog
from rag_assets.models.tokenizers import load_tokenizer
from rag_assets.models.usage import Usage, UsageSink

if TYPE_CHECKING:
    import httpx2

_MODEL_CALLS = ("/embeddings", "/completions", "/responses")
_STARTED = "rag_assets.started"


class HttpMeter:
    """An observer of one client's traffic: `make_client(..., observer=HttpMeter(...))`."""

    def __init__(
        self, sink: UsageSink, *, provider: str, kind: Literal["openai", "embedded"], prices: Mapping[str, Price]
    ) -> None:
        self._sink = sink
        self._provider = provider
        self._kind = kind
        self._prices = prices

    def before_request(self, request: httpx2.Request) -> None:
        """Notes when the request left."""
        request.extensions[_STARTED] = time.perf_counter()

    def after_response(self, response: httpx2.Response) -> None:
        """Records an answer when it was read; a stream when it ends, breaks or is closed."""
        if response.status_code != 200 or not response.request.url.path.endswith(_MODEL_CALLS):
            return
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            response.stream = _counted_stream(response, lambda body: self._record(response, _events(body)))
        else:
            response.read()
            self._record(response, _objects([response.text]))

    def _record(self, response: httpx2.Response, parts: list[dict[str, Any]]) -> None:
        """One call from the JSON object of its answer, or from the objects of its stream. Nothing else is a call."""
        request = json.loads(response.request.content or b"{}")
        parts = [part.get("response") or part for part in parts]  # the responses API wraps its answer in events
        if not parts:
            return
        model = next((part["model"] for part in parts if part.get("model")), request.get("model", "unknown"))
        reported: dict[str, Any] = next((part["usage"] for part in reversed(parts) if part.get("usage")), {})
        embeds = response.request.url.path.endswith("/embeddings")
        sent = reported.get("prompt_tokens", reported.get("input_tokens"))
        if sent is None:
            tokens = _count(model, embeds, request, parts)
        else:
            tokens = (sent, reported.get("completion_tokens", reported.get("output_tokens", 0)))
        priced = model if catalog.price_of(model, self._prices, kind=self._kind) else request.get("model", model)
        self._sink.record(
            Usage(
                provider=self._provider,
                model=model,
                operation="embedding" if embeds else "chat",
                input_tokens=tokens[0],
                output_tokens=tokens[1],
                requests=1 + int(response.request.headers.get("x-stainless-retry-count", 0)),
                cost_usd=catalog.cost_usd(priced, *tokens, self._prices, kind=self._kind),
                latency_ms=(time.perf_counter() - response.request.extensions[_STARTED]) * 1000,
                request_id=response.headers.get("x-request-id"),
                estimated=sent is None,
            )
        )


def _counted_stream(response: httpx2.Response, ended: Callable[[str], None]) -> httpx2.SyncByteStream:
    import httpx2

    inner: Any = response.stream
    parts: list[bytes] = []

    class Counted(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for part in inner:
                parts.append(part)
                yield part

        def close(self) -> None:
            inner.close()
            if parts:  # and nothing at a second close
                # A response of its own undoes the content encoding.
                body = httpx2.Response(200, headers=response.headers, content=b"".join(parts)).text
                parts.clear()
                ended(body)

    return Counted()


def _events(body: str) -> list[dict[str, Any]]:
    lines = (line.removeprefix("data:").strip() for line in body.splitlines() if line.startswith("data:"))
    return _objects(lines)


def _objects(texts: Iterable[str]) -> list[dict[str, Any]]:
    """The texts that are JSON objects; the end mark of a stream and what a cut left behind are not."""
    found = []
    for text in texts:
        try:
            value = json.loads(text)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def _count(model: str, embeds: bool, request: Any, parts: list[dict[str, Any]]) -> tuple[int, int]:
    """Tokens sent and answered, near enough for a server that reports none."""
    known = catalog.EMBEDDING_MODELS.get(model) if embeds else None
    tokenizer = load_tokenizer(known.tokenizer if known else catalog.chat_encoding(model))
    sent = _texts(request, ("input", "messages", "prompt", "content", "text"))
    answered = _texts([] if embeds else parts, ("choices", "message", "delta", "content", "output", "text"))
    return sum(map(tokenizer.count, sent)), sum(map(tokenizer.count, answered))


def _texts(value: Any, below: tuple[str, ...]) -> Iterator[str]:
    """Every text under the keys `below`, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, below)
    elif isinstance(value, dict):
        for key in below:
            yield from _texts(value.get(key), below)
