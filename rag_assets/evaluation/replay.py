"""Chat models and embedders that are not asked again what an evaluation asked them before.

Only a temperature of 0 is replayed: at any other the model is asked for another answer on purpose. The embedded reader
costs nothing and changes with the package, so it is always asked.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from rag_assets.answering.retrieve import QueryEmbedder
from rag_assets.config import ChatSettings, ProviderSettings
from rag_assets.fingerprints import fingerprint
from rag_assets.ledger import Completion, Ledger
from rag_assets.models.chat import Chat, ChatResult, Message
from rag_assets.models.vectors import Vectors


class ReplayedChat:
    """`chat`, answered from the ledger where it holds the answer to an equal request. For one question, in one thread.

    `replayed_ms` is how long the answers from the ledger took when they were made.
    """

    def __init__(self, chat: Chat, ledger: Ledger, settings: ChatSettings, provider: ProviderSettings) -> None:
        self._chat = chat
        self._ledger = ledger
        self._settings = settings
        self._server = {"kind": provider.kind, "base_url": provider.base_url}
        self._replays = settings.temperature == 0 and provider.kind != "embedded"
        self.replayed_ms = 0.0

    @property
    def model(self) -> str:
        """The configured model's name."""
        return self._chat.model

    def complete(self, messages: Sequence[Message], *, extra: Mapping[str, Any] | None = None) -> ChatResult:
        """What the model says, or said, to `messages`; see `ChatModel.complete`."""
        if not self._replays:
            return self._chat.complete(messages, extra=extra)
        key = fingerprint(
            **self._settings.model_dump(mode="json"),
            server=self._server,
            messages=[dict(message) for message in messages],
            extra=dict(extra or {}),
        )
        known = self._ledger.completion(key)
        if known is not None:
            self.replayed_ms += known.latency_ms
            return _result(known)
        result = self._chat.complete(messages, extra=extra)
        if result.finish_reason == "stop":  # what was cut short may have been so by the moment
            self._ledger.record_completion(_completion(key, result))
        return result


class RememberedQueries:
    """An embedder of questions that embeds each once. Thread safe."""

    def __init__(self, embedder: QueryEmbedder) -> None:
        self._embedder = embedder
        self._vectors: dict[str, Vectors] = {}
        self._lock = threading.Lock()

    def embed_query(self, text: str) -> Vectors:
        """The vector of a question; see `Embedder.embed_query`."""
        with self._lock:
            known = self._vectors.get(text)
        if known is None:
            known = self._embedder.embed_query(text)
            with self._lock:
                self._vectors[text] = known
        return known


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
