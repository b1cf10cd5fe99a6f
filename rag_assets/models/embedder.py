"""Texts to vectors through any provider: batched, bounded, checked, and kept as they arrive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from rag_assets.config import ModelSettings
from rag_assets.errors import InvalidRequestError, ModelError, QueryError, RagAssetsError
from rag_assets.models import catalog
from rag_assets.models.bounded import run_bounded
from rag_assets.models.client import make_client, rate_limits
from rag_assets.models.embedding_calls import EmbeddedBatch, EmbeddingCalls
from rag_assets.models.embedding_space import EmbeddingSpace, embedding_space
from rag_assets.models.isolation import PROBE, IsolatingRequest
from rag_assets.models.tokenizers import load_tokenizer
from rag_assets.models.usage import UsageSink
from rag_assets.models.vectors import Vectors

if TYPE_CHECKING:
    import openai

    from rag_assets.chunking.tokenizer import Tokenizer
    from rag_assets.models.pacing import SharedLimits

__all__ = ["EmbeddedBatch", "Embedder", "EmbeddingSpace"]

REQUESTS_EMBEDDED = 3
"""Requests to the embedded provider under way at once: one is tokenised, one computed, one stored by the caller."""


class Embedder:
    """The configured embedding model. Thread safe; `close` it, or use it in a `with` statement.

    Its space, limits and tokenizer need no key; the client is made by the first call that needs one.
    Every answered request is recorded in `usage`. A client that `client` gives at the first call is the caller's to
    close. `limits` keeps the provider's turns for a client made here; see `make_client`.
    """

    def __init__(
        self,
        settings: ModelSettings,
        usage: UsageSink | None = None,
        client: Callable[[], openai.OpenAI] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        limits: SharedLimits | None = None,
    ) -> None:
        embedding = settings.embedding
        self.space = embedding_space(settings)
        self._model = catalog.embedding_model(embedding)
        self.tokenizer: Tokenizer = load_tokenizer(self._model.tokenizer)
        self._provider = settings.all_providers()[embedding.provider]
        self._batch_size = embedding.batch_size
        self._device = embedding.device
        self._price = catalog.price_of(self._model.name, settings.prices, kind=self._provider.kind)
        self._owns_client = client is None
        self._client: openai.OpenAI | None = None
        self._make_client = client or partial(
            make_client, embedding.provider, self._provider, environment=environment, limits=limits
        )
        self._make_calls = partial(
            EmbeddingCalls,
            provider=embedding.provider,
            kind=self._provider.kind,
            model=self._model,
            precision=self.space.precision,
            device=embedding.device,
            prices=settings.prices,
            usage=usage,
        )
        self._lock = threading.Lock()

    @property
    def max_input_tokens(self) -> int:
        """The most tokens of one input, special tokens included."""
        return self._model.max_input_tokens

    @property
    def price_per_million_usd(self) -> float | None:
        """US dollars per million input tokens; None when unknown."""
        return self._price.input_usd if self._price else None

    def embed_documents(self, texts: Sequence[str]) -> Iterator[EmbeddedBatch]:
        """Embeds `texts`, yielding each request's vectors as they arrive, in any order.

        A text that cannot be embedded (blank, too long, refused by the provider, answered with a broken vector) is
        reported in `failures` and does not stop the others; how it is found, and how often it is sent, says
        `isolation.py`. Raises a `ModelError` when the provider itself is unusable, and a `BudgetError` when no more may
        be spent, after everything that had arrived by then was yielded.
        """
        texts = [self.space.document_prefix + text for text in texts]
        counts = [self.count_tokens(text) for text in texts]
        refused = [(index, error) for index, text in enumerate(texts) if (error := self._refusal(text, counts[index]))]
        if refused:
            yield self._no_vectors(refused)
        unusable = {index for index, _ in refused}
        todo = self._plan([index for index in range(len(texts)) if index not in unusable], counts)
        # The embedded provider uses all processors for one request: others only keep it from idling in between.
        workers = REQUESTS_EMBEDDED if self._provider.kind == "embedded" else self._provider.max_concurrency
        yield from run_bounded(lambda batch: self._embed(batch, texts, counts), todo, workers)

    def embed_query(self, text: str) -> Vectors:
        """The vector of a question: float32 [dimension], unit length. Raises `QueryError` or a `ModelError`."""
        if not text.strip():
            raise QueryError("The question is empty.", fix="Ask something.")
        text = self.space.query_prefix + text
        count = self.count_tokens(text)
        if count > self.max_input_tokens:
            raise QueryError(
                f"The question has {count:,} tokens and the embedding model reads at most {self.max_input_tokens:,}.",
                fix="Ask a shorter question.",
            )
        batch = self._calls().send([0], [text], [count])
        if batch.failures:
            raise batch.failures[0][1]
        vector: Vectors = batch.vectors[0]
        return vector

    def count_tokens(self, text: str) -> int:
        """Tokens the model reads for `text`, special tokens included, prefixes not."""
        return self.tokenizer.count(text) + self.tokenizer.special_tokens

    def requests_for(self, counts: Sequence[int]) -> int:
        """How many requests inputs with so many tokens each would take, if none has to be repeated or halved."""
        return sum(1 for _ in self._plan(range(len(counts)), counts))

    def close(self) -> None:
        """Closes the connections of a client made here."""
        if self._owns_client and self._client is not None:
            self._client.close()

    def __enter__(self) -> Embedder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _calls(self) -> EmbeddingCalls:
        with self._lock:
            if self._client is None:
                self._check_device()
                self._client = self._make_client()
            return self._make_calls(self._client)

    def _check_device(self) -> None:
        """Raises where the configured device cannot be used; over the wire that would look like a bad request."""
        if self._provider.kind == "embedded" and self._device == "cuda":
            from rag_assets.models.embedded.batched import cuda_encoder

            cuda_encoder(self._device, self.space.precision)

    def _refusal(self, text: str, count: int) -> ModelError | None:
        if not text.strip():
            return InvalidRequestError("The text is blank, so it has no vector.", fix="Leave it out.")
        if count > self.max_input_tokens:
            return InvalidRequestError(
                f"The text has {count:,} tokens and {self._model.name} reads at most {self.max_input_tokens:,}.",
                fix="Lower chunking.max_tokens.",
            )
        return None

    def _plan(self, indices: Sequence[int], counts: Sequence[int]) -> Iterator[list[int]]:
        """Consecutive batches within the limits of inputs and of tokens per request."""
        limits = (self._model.max_request_tokens, rate_limits(self._provider).burst_tokens)
        limit = min((limit for limit in limits if limit is not None), default=None)
        batch: list[int] = []
        tokens = 0
        for index in indices:
            full = len(batch) == self._batch_size or (limit is not None and tokens + counts[index] > limit)
            if batch and full:
                yield batch
                batch, tokens = [], 0
            batch.append(index)
            tokens += counts[index]
        if batch:
            yield batch

    def _embed(
        self, indices: Sequence[int], texts: Sequence[str], counts: Sequence[int]
    ) -> tuple[list[EmbeddedBatch], RagAssetsError | None]:
        """All that could be embedded of one planned batch, and the error that stopped it, if one did."""
        request = IsolatingRequest(self._calls(), texts, counts, self.count_tokens(PROBE))
        try:
            request.send(indices)
        except RagAssetsError as error:
            return request.batches, error
        return request.batches, None

    def _no_vectors(self, failures: list[tuple[int, ModelError]]) -> EmbeddedBatch:
        return EmbeddedBatch([], np.empty((0, self._model.dimension), np.float32), [], failures)
