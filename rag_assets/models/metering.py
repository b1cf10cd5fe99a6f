"""Counts what a client's calls used by reading the answers on their way through, however the call was made.

The official client has many ways to make one call: plain, parsed, raw, streamed, on a copy with other options. They all
pass the HTTP layer, and only there are all of them seen. Calls of models are counted (chat, completions, responses,
embeddings); files and jobs are not calls of a model.

What nobody else answers for (see `usage.accounted`) is also admitted and recorded in `accounts`, so that calls which
are written with the client itself keep to the budgets too.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from rag_assets.config import Price
from rag_assets.models import catalog
from rag_assets.models.tokenizers import load_tokenizer
from rag_assets.models.usage import ExpectedCall, Usage, UsageSink, admit, is_accounted, release

if TYPE_CHECKING:
    import httpx2

_MODEL_CALLS = ("/embeddings", "/completions", "/responses")
_STARTED = "rag_assets.started"
_CALL = "rag_assets.call"
OUTPUT_TOKENS = 4_096
"""Set aside for the answer to a request that sets no limit to it."""
_OUTPUT_LIMITS = ("max_completion_tokens", "max_output_tokens", "max_tokens")


class HttpMeter:
    """An observer of one client's traffic: `make_client(..., observer=HttpMeter(...))`. Thread safe.

    `sink` gets every call; `accounts` those that nobody else answers for, and it may refuse them: then the client
    raises its `BudgetError`, and nothing was sent. Close it when the client is no longer used.
    """

    def __init__(
        self,
        sink: UsageSink,
        *,
        provider: str,
        kind: Literal["openai", "embedded"],
        prices: Mapping[str, Price],
        accounts: UsageSink | None = None,
    ) -> None:
        self._sink = sink
        self._accounts = accounts
        self._under_way: dict[int, str] = {}  # thread → the call whose answer it waits for
        self._provider = provider
        self._kind = kind
        self._prices = prices

    def before_request(self, request: httpx2.Request) -> None:
        """Notes when the request left. Raises `BudgetError` where it must not leave."""
        if self._accounts is not None and not is_accounted() and _is_model_call(request):
            self._give_up()  # a request that is sent again got no answer, or none that is paid for
            call_id = admit(self._accounts, partial(self._expected, request))
            request.extensions[_CALL] = self._under_way[threading.get_ident()] = call_id
        request.extensions[_STARTED] = time.perf_counter()

    def after_response(self, response: httpx2.Response) -> None:
        """Records an answer when it was read; a stream when it ends, breaks or is closed."""
        if response.status_code != 200:
            self._give_up()
        elif not _is_model_call(response.request):
            return
        elif response.headers.get("content-type", "").startswith("text/event-stream"):
            self._under_way.pop(threading.get_ident(), None)
            response.stream = _counted_stream(response, lambda body: self._record(response, _events(body)))
        else:
            response.read()
            self._under_way.pop(threading.get_ident(), None)
            self._record(response, _objects([response.text]))

    def close(self) -> None:
        """Says of the calls that have no answer that they will get none."""
        while self._under_way:
            release(self._accounts, self._under_way.popitem()[1])

    def _give_up(self) -> None:
        """Says of the last call of this thread that it was not answered."""
        call_id = self._under_way.pop(threading.get_ident(), None)
        if call_id is not None:
            release(self._accounts, call_id)

    def _expected(self, request: httpx2.Request) -> ExpectedCall:
        asked = json.loads(request.read() or b"{}")
        model, embeds = str(asked.get("model", "unknown")), request.url.path.endswith("/embeddings")
        limit = next((asked[name] for name in _OUTPUT_LIMITS if asked.get(name)), OUTPUT_TOKENS)
        answers = 0 if embeds else limit * (asked.get("n") or 1)
        price = catalog.price_of(model, self._prices, kind=self._kind)
        sent = _count(model, embeds, asked, [])[0] if price and (price.input_usd or price.output_usd) else 0
        cost_usd = catalog.cost_usd(model, sent, answers, self._prices, kind=self._kind)
        return ExpectedCall(self._provider, model, "embedding" if embeds else "chat", sent, answers, cost_usd)

    def _record(self, response: httpx2.Response, parts: list[dict[str, Any]]) -> None:
        """One call from the JSON object of its answer, or from the objects of its stream. Nothing else is a call."""
        request = json.loads(response.request.content or b"{}")
        parts = [part.get("response") or part for part in parts]  # the responses API wraps its answer in events
        call_id = response.request.extensions.get(_CALL)
        if not parts:
            if call_id is not None:
                release(self._accounts, call_id)
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
        usage = Usage(
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
            call_id=call_id,
        )
        self._sink.record(usage)
        if call_id is not None and self._accounts is not None:
            self._accounts.record(usage)


def _is_model_call(request: httpx2.Request) -> bool:
    return request.url.path.endswith(_MODEL_CALLS)


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
