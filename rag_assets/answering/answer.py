"""What a question gets back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Citation:
    """Where statements stand. `n` is their mark in the answer, like [1].

    `quotes` are verbatim in the chunk, one for each statement with this mark; `quote` is the first of them.
    """

    n: int
    chunk_id: str
    source: str
    uri: str
    title: str
    quote: str
    quotes: tuple[str, ...]
    heading_path: tuple[str, ...]
    page: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with everything it stands on. `cost_usd` is None when the price of a model is not known."""

    answer_id: str
    question: str
    answer: str
    answerable: bool
    citations: tuple[Citation, ...]
    release: str
    model: str
    usage: dict[str, int]
    cost_usd: float | None
    latency_ms: float

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)
