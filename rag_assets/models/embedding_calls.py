"""One request to `POST /embeddings`: sent, decoded, checked, counted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from rag_assets.config import Price
from rag_assets.errors import InvalidVectorError, ModelError
from rag_assets.models import catalog
from rag_assets.models.client import translate_errors
from rag_assets.models.pacing import announced
from rag_assets.models.usage import ExpectedCall, Usage, UsageSink, admitted
from rag_assets.models.vectors import MalformedAnswerError, Vectors, decode_embeddings, unit_rows

if TYPE_CHECKING:
    import openai


@dataclass(frozen=True)
class EmbeddedBatch:
    """What one request brought.

    `indices[i]` is the position in the input of the text behind `vectors[i]` (float32 [n, dimension], unit length) and
    `token_counts[i]` (prefix and special tokens included). `failures` are texts that got no vector, each with its
    reason; they are in no batch's `indices`. `requests` counts retries; `cost_usd` is None when the price is unknown.
    """

    indices: list[int]
    vectors: Vectors
    token_counts: list[int]
    failures: list[tuple[int, ModelError]] = field(default_factory=list)
    requests: int = 0
    cost_usd: float | None = 0.0


class EmbeddingCalls:
    """Sends requests for one model of one provider. Thread safe. Every answer is recorded in `usage`."""

    def __init__(
        self,
        client: openai.OpenAI,
        *,
        provider: str,
        kind: Literal["openai", "embedded"],
        model: catalog.EmbeddingModel,
        precision: str | None,
        device: str = "auto",
        prices: Mapping[str, Price],
        usage: UsageSink | None,
    ) -> None:
        self._client = client
        self._provider = provider
        self._kind = kind
        self._model = model
        self._extra = {} if precision is None else {"precision": precision, "device": device}
        self._prices = prices
        self._usage = usage
        self.dimension = model.dimension
        self._where = f"Provider {provider!r}, model {model.name!r}"

    def send(self, indices: Sequence[int], texts: Sequence[str], counts: Sequence[int]) -> EmbeddedBatch:
        """Embeds `texts`, which stand at `indices` of the caller's list and have `counts` tokens, in one request.

        Vectors that are broken one by one come back as `failures`. Raises a `ModelError`: `InvalidRequestError` when
        the provider refuses the request, `InvalidVectorError` when the answer is not one of this protocol. Raises
        `BudgetError`, with nothing sent, where `usage` does not admit it.
        """
        with admitted(self._usage, partial(self._expected, sum(counts))) as call_id:
            return self._send(indices, texts, counts, call_id)

    def _send(self, indices: Sequence[int], texts: Sequence[str], counts: Sequence[int], call_id: str) -> EmbeddedBatch:
        started = time.perf_counter()
        translated = translate_errors(self._provider, self._model.name, secret=self._client.api_key)
        with translated, announced(sum(counts)) as call:
            answer = self._client.embeddings.with_raw_response.create(**self._request(texts))
        latency_ms = (time.perf_counter() - started) * 1000
        try:
            rows, reported_tokens = decode_embeddings(answer.content, len(texts))
        except MalformedAnswerError as error:
            raise InvalidVectorError(
                f"{self._where}: {error}.",
                fix=f"Check models.providers.{self._provider}.base_url; it often ends in /v1.",
            ) from None
        if reported_tokens is not None:
            call.settle(reported_tokens)
        usage = self._record(reported_tokens, sum(counts), latency_ms, answer, call_id)
        vectors, broken = unit_rows(rows, self._model.dimension)
        failures = {
            position: InvalidVectorError(
                f"{self._where}: {reason} (input {indices[position]}).",
                fix="Run again; if it stays, check models.embedding.model and models.embedding.dimension.",
            )
            for position, reason in broken.items()
        }
        good = [position for position in range(len(rows)) if position not in failures]
        return EmbeddedBatch(
            indices=[indices[position] for position in good],
            vectors=vectors[good],
            token_counts=[counts[position] for position in good],
            failures=[(indices[position], error) for position, error in failures.items()],
            requests=usage.requests,
            cost_usd=usage.cost_usd,
        )

    def _request(self, texts: Sequence[str]) -> dict[str, Any]:
        request: dict[str, Any] = {"model": self._model.name, "input": list(texts), "encoding_format": "base64"}
        if self._model.request_dimensions:
            request["dimensions"] = self._model.request_dimensions
        if self._extra:
            request["extra_body"] = self._extra
        return request

    def _expected(self, tokens: int) -> ExpectedCall:
        cost_usd = catalog.cost_usd(self._model.name, tokens, 0, self._prices, kind=self._kind)
        return ExpectedCall(self._provider, self._model.name, "embedding", tokens, 0, cost_usd)

    def _record(
        self, reported_tokens: int | None, counted_tokens: int, latency_ms: float, answer: Any, call_id: str
    ) -> Usage:
        tokens = counted_tokens if reported_tokens is None else reported_tokens
        usage = Usage(
            provider=self._provider,
            model=self._model.name,
            operation="embedding",
            input_tokens=tokens,
            output_tokens=0,
            requests=1 + answer.retries_taken,
            cost_usd=catalog.cost_usd(self._model.name, tokens, 0, self._prices, kind=self._kind),
            latency_ms=latency_ms,
            request_id=answer.headers.get("x-request-id"),
            estimated=reported_tokens is None,
            call_id=call_id,
        )
        if self._usage is not None:
            self._usage.record(usage)
        return usage
