"""The chat model that answers: one call, whole or streamed, with what it used."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from rag_assets.config import ModelSettings
from rag_assets.errors import ProviderUnavailableError
from rag_assets.models import catalog
from rag_assets.models.client import make_client, translate_errors
from rag_assets.models.pacing import announced
from rag_assets.models.tokenizers import load_tokenizer
from rag_assets.models.usage import ExpectedCall, Usage, UsageSink, accounted, admit, admitted, release

if TYPE_CHECKING:
    import openai

    from rag_assets.models.pacing import SharedLimits

Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ChatResult:
    """An answer. `cost_usd` is None when the price is unknown; `estimated` says that tokens were counted here.

    `model` is what the provider says answered. `finish_reason` is `stop` for a whole answer and `length` for one that
    met the limit of output tokens.
    """

    text: str
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    latency_ms: float
    model: str
    finish_reason: str
    estimated: bool = False


class Chat(Protocol):
    """What a pipeline asks for an answer."""

    @property
    def model(self) -> str: ...

    def complete(self, messages: Sequence[Message], *, extra: Mapping[str, Any] | None = None) -> ChatResult: ...


class ChatModel:
    """The configured chat model. Thread safe; `close` it, or use it in a `with` statement.

    Every answered call is recorded in `usage`. A `client` that is given stays the caller's to close.
    `limits` keeps the provider's turns for a client made here; see `make_client`.
    """

    def __init__(
        self,
        settings: ModelSettings,
        usage: UsageSink | None = None,
        client: openai.OpenAI | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        limits: SharedLimits | None = None,
    ) -> None:
        self._settings = settings.chat
        self._prices = settings.prices
        self._provider = settings.all_providers()[settings.chat.provider]
        self._usage = usage
        self._owns_client = client is None
        self._client = client or make_client(
            settings.chat.provider, self._provider, environment=environment, limits=limits
        )

    @property
    def model(self) -> str:
        """The configured model's name."""
        return self._settings.model

    def complete(self, messages: Sequence[Message], *, extra: Mapping[str, Any] | None = None) -> ChatResult:
        """Sends `messages` and waits for the answer. `extra` goes into the request's body.

        Raises a `ModelError`, and a `BudgetError`, with nothing sent, where `usage` does not admit the call.
        """
        with admitted(self._usage, partial(self._expected, messages)) as call_id:
            return self._complete(messages, extra, call_id)

    def _complete(self, messages: Sequence[Message], extra: Mapping[str, Any] | None, call_id: str) -> ChatResult:
        started = time.perf_counter()
        with self._translated(), announced(self._expected_tokens(messages)) as call:
            answer = self._client.chat.completions.with_raw_response.create(**self._request(messages, extra))
            completion = answer.parse()
        latency_ms = (time.perf_counter() - started) * 1000
        choices = getattr(completion, "choices", None)
        if not choices:
            raise self._no_answer()
        if completion.usage and completion.usage.total_tokens:
            call.settle(completion.usage.total_tokens)
        message = choices[0].message
        return self._result(
            messages,
            text=message.content or message.refusal or "",
            finish_reason=choices[0].finish_reason or "stop",
            reported=completion.usage,
            answered_by=completion.model,
            latency_ms=latency_ms,
            requests=1 + answer.retries_taken,
            request_id=answer.headers.get("x-request-id"),
            call_id=call_id,
        )

    def stream(self, messages: Sequence[Message], *, extra: Mapping[str, Any] | None = None) -> ChatStream:
        """Sends `messages`; the text arrives piece by piece. The request is sent at the first piece asked for."""
        return ChatStream(self, messages, extra)

    def close(self) -> None:
        """Closes the connections of a client made here."""
        if self._owns_client:
            self._client.close()

    def __enter__(self) -> ChatModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _expected_tokens(self, messages: Sequence[Message]) -> int:
        """Roughly what a provider counts before it answers: the prompt and the longest answer."""
        return sum(len(message["content"]) for message in messages) // 4 + self._settings.max_output_tokens

    def _expected(self, messages: Sequence[Message]) -> ExpectedCall:
        """The prompt's tokens and the longest answer; not even counted where no price makes a cost of them."""
        price = catalog.price_of(self.model, self._prices, kind=self._provider.kind)
        sent = self._count(messages, "")[0] if price and (price.input_usd or price.output_usd) else 0
        most = self._settings.max_output_tokens
        cost_usd = catalog.cost_usd(self.model, sent, most, self._prices, kind=self._provider.kind)
        return ExpectedCall(self._settings.provider, self.model, "chat", sent, most, cost_usd)

    def _translated(self) -> Any:
        return translate_errors(self._settings.provider, self.model, secret=self._client.api_key)

    def _no_answer(self) -> ProviderUnavailableError:
        return ProviderUnavailableError(
            f"Provider {self._settings.provider!r}, model {self.model!r}: the answer is not in the OpenAI format.",
            fix=f"Check models.providers.{self._settings.provider}.base_url; it often ends in /v1.",
        )

    def _request(self, messages: Sequence[Message], extra: Mapping[str, Any] | None) -> dict[str, Any]:
        settings = self._settings
        request: dict[str, Any] = {"model": settings.model, "messages": [dict(message) for message in messages]}
        # OpenAI renamed the limit; compatible servers know the old name.
        renamed = catalog.is_openai_chat_model(settings.model)
        request["max_completion_tokens" if renamed else "max_tokens"] = settings.max_output_tokens
        if not catalog.is_reasoning_model(settings.model):
            request["temperature"] = settings.temperature
            if settings.seed is not None:
                request["seed"] = settings.seed
        if extra:
            request["extra_body"] = dict(extra)
        return request

    def _pieces(
        self, messages: Sequence[Message], extra: Mapping[str, Any] | None, stream: ChatStream
    ) -> Generator[str, None, None]:
        request = self._request(messages, extra) | {"stream": True, "stream_options": {"include_usage": True}}
        started = time.perf_counter()
        parts: list[str] = []
        finish_reason, answered_by, reported = "", "", None
        answer = None
        call_id = admit(self._usage, partial(self._expected, messages))
        try:
            with self._translated():
                with accounted(), announced(self._expected_tokens(messages)) as call:
                    answer = self._client.chat.completions.with_raw_response.create(**request)
                for chunk in answer.parse():
                    answered_by, reported = chunk.model or self.model, chunk.usage or reported
                    for choice in chunk.choices[:1]:
                        finish_reason = choice.finish_reason or finish_reason
                        if choice.delta.content:
                            parts.append(choice.delta.content)
                            yield choice.delta.content
            if not answered_by:
                raise self._no_answer()
            if not finish_reason:
                raise ProviderUnavailableError(
                    f"Provider {self._settings.provider!r}, model {self.model!r}: the answer broke off.",
                    fix="Try again.",
                )
        finally:
            if answer is not None:
                answer.http_response.close()
            # Also where the stream breaks or the reader stops: what was produced until then is paid for.
            if answer is not None and answered_by:
                stream.result = self._result(
                    messages,
                    text="".join(parts),
                    finish_reason=finish_reason or "interrupted",
                    reported=reported,
                    answered_by=answered_by,
                    latency_ms=(time.perf_counter() - started) * 1000,
                    requests=1 + answer.retries_taken,
                    request_id=answer.headers.get("x-request-id"),
                    call_id=call_id,
                )
                call.settle(stream.result.input_tokens + stream.result.output_tokens)
            else:
                release(self._usage, call_id)

    def _result(
        self,
        messages: Sequence[Message],
        *,
        text: str,
        finish_reason: str,
        reported: Any,
        answered_by: str,
        latency_ms: float,
        requests: int,
        request_id: str | None,
        call_id: str,
    ) -> ChatResult:
        estimated = reported is None or not reported.prompt_tokens
        input_tokens, output_tokens = (
            self._count(messages, text) if estimated else (reported.prompt_tokens, reported.completion_tokens or 0)
        )
        cost = catalog.cost_usd(self.model, input_tokens, output_tokens, self._prices, kind=self._provider.kind)
        if self._usage is not None:
            self._usage.record(
                Usage(
                    provider=self._settings.provider,
                    model=self.model,
                    operation="chat",
                    input_tokens=input_tokens,
                    output_tokens=output_tokens,
                    requests=requests,
                    cost_usd=cost,
                    latency_ms=latency_ms,
                    request_id=request_id,
                    estimated=estimated,
                    call_id=call_id,
                )
            )
        return ChatResult(
            text=text,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost_usd=cost,
            latency_ms=latency_ms,
            model=answered_by or self.model,
            finish_reason=finish_reason,
            estimated=estimated,
        )

    def _count(self, messages: Sequence[Message], text: str) -> tuple[int, int]:
        """Tokens of the messages and of the answer, near enough for a server that reports no usage."""
        tokenizer = load_tokenizer(catalog.chat_encoding(self.model))
        return sum(tokenizer.count(message["content"]) + 4 for message in messages) + 3, tokenizer.count(text)


class ChatStream(Iterator[str]):
    """The pieces of an answer's text as they arrive. Raises a `ModelError` where the stream breaks.

    `result` is the whole answer: None until the last piece, and what had arrived when the stream broke or was closed
    (`finish_reason` is then `interrupted`).
    """

    def __init__(self, model: ChatModel, messages: Sequence[Message], extra: Mapping[str, Any] | None) -> None:
        self.result: ChatResult | None = None
        self._pieces = model._pieces(messages, extra, self)

    def __next__(self) -> str:
        return next(self._pieces)

    def close(self) -> None:
        """Stops the answer and frees its connection."""
        self._pieces.close()
