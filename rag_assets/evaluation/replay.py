"""Chat models and embedders that are not asked again what an evaluation asked them before.

Only a temperature of 0 is replayed: at any other the model is asked for another answer on purpose. The embedded models
cost nothing and change with the package, so they are always asked. The ledger forgets what was said long ago.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from rag_assets.answering.retrieve import QueryEmbedder
from rag_assets.config import ChatSettings, ProviderSettings
from rag_assets.fingerprints import fingerprint
from rag_assets.ledger import Completion, Ledger
from rag_assets.models.chat import Chat, ChatResult, Message
from rag_assets.models.vectors import Vectors


class ReplayedChat:
    """`chat`, answered from the ledger where it holds the answer to an equal request. For one question, in one thread.

    What it said before `since` counts as not said. `replayed_ms` is how long the answers from the ledger took when they
    were made; `asked`, whether it was asked.
    """

    def __init__(
        self,
        chat: Chat,
        ledger: Ledger,
        settings: ChatSettings,
        provider: ProviderSettings,
        since: datetime | None = None,
    ) -> None:
        self._chat = chat
        self._since = since
        self._ledger = ledger
        self._settings = settings
        self._server = server_of(provider)
        self._replays = settings.temperature == 0 and provider.kind != "embedded"
        self.replayed_ms = 0.0
        self.asked = False

    @property
    def model(self) -> str:
        """The configured model's name."""
        return self._chat.model

    def complete(self, messages: Sequence[Message], *, extra: Mapping[str, Any] | None = None) -> ChatResult:
        """What the model says, or said, to `messages`; see `ChatModel.complete`."""
        self.asked = True
        if not self._replays:
            return self._chat.complete(messages, extra=extra)
        key = fingerprint(
            **self._settings.model_dump(mode="json"),
            server=self._server,
            messages=[dict(message) for message in messages],
            extra=dict(extra or {}),
        )
        known = self._ledger.completion(key, since=self._since)
        if known is not None:
            self.replayed_ms += known.latency_ms
            return _result(known)
        result = self._chat.complete(messages, extra=extra)
        if result.finish_reason == "stop":  # what was cut short may have been so by the moment
            self._ledger.record_completion(_completion(key, result), replace=self._since is not None)
        return result


class RememberedQueries:
    """An embedder of questions that embeds each once, and those of a paid or remote model once ever. Thread safe.

    `space`: the fingerprint of the embedding space, which has the prefix that is put before a question.
    """

    def __init__(self, embedder: QueryEmbedder, ledger: Ledger, space: str, provider: ProviderSettings) -> None:
        self._embedder = embedder
        self._ledger = ledger
        self._space = space
        self._server = server_of(provider)
        self._keeps = provider.kind != "embedded"
        self._vectors: dict[str, Vectors] = {}
        self._replayed_ms: dict[str, float] = {}
        self._lock = threading.Lock()

    def embed_query(self, text: str) -> Vectors:
        """The vector of a question; see `Embedder.embed_query`."""
        with self._lock:
            known = self._vectors.get(text)
        if known is None:
            known = self._kept(text) if self._keeps else self._embedder.embed_query(text)
            with self._lock:
                self._vectors[text] = known
        return known

    def replayed_ms(self, text: str) -> float:
        """How long the vector of a question took when it was made, where it came from the ledger; else 0."""
        with self._lock:
            return self._replayed_ms.get(text, 0.0)

    def _kept(self, text: str) -> Vectors:
        key = query_key(self._server, self._space, text)
        known = self._ledger.completion(key)
        if known is not None:
            with self._lock:
                self._replayed_ms[text] = known.latency_ms
            return np.frombuffer(base64.b64decode(known.text), dtype="<f4")
        started = time.perf_counter()
        vector = self._embedder.embed_query(text)
        latency_ms = (time.perf_counter() - started) * 1_000
        self._ledger.record_completion(_query_vector(key, self._space, vector, latency_ms))
        return vector


def server_of(provider: ProviderSettings) -> dict[str, Any]:
    """What tells servers apart that offer a model of one name."""
    return {"kind": provider.kind, "base_url": provider.base_url}


def query_key(server: Mapping[str, Any], space: str, text: str) -> str:
    """What the vector of a question is kept under, in the ledger."""
    return fingerprint(server=dict(server), embedding_space=space, query=text)


def _query_vector(key: str, space: str, vector: Vectors, latency_ms: float) -> Completion:
    """A vector as the ledger keeps what models said. Its tokens are where its call was metered."""
    return Completion(
        request_hash=key,
        model=f"embedding space {space}",
        text=base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii"),
        input_tokens=0,
        output_tokens=0,
        cost_usd=None,
        latency_ms=latency_ms,
    )


def _result(known: Completion) -> ChatResult:
    return ChatResult(
        text=known.text,
        input_tokens=known.input_tokens,
        output_tokens=known.output_tokens,
        cost_usd=known.cost_usd,
        latency_ms=known.latency_ms,
        model=known.model,
        finish_reason="stop",
    )


def _completion(key: str, result: ChatResult) -> Completion:
    return Completion(
        request_hash=key,
        model=result.model,
        text=result.text,
        input_tokens=result.input_tokens,
        output_tokens=result.output_tokens,
        cost_usd=result.cost_usd,
        latency_ms=result.latency_ms,
    )
