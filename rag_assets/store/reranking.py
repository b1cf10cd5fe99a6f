"""The best passages of a search, ordered anew by something that reads them: a second opinion where one is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from rag_assets.store.fusion import ranked


class Reranker(Protocol):
    """Says how well each text answers a question."""

    def __call__(self, question: str, texts: Sequence[str], /) -> Sequence[float]:
        """One score in [0, 1] for each of `texts`, higher is better; the same for the same question and text."""
        ...


def reranked(
    scores: Mapping[str, float],
    question: str,
    bodies: Mapping[str, str],
    reranker: Reranker,
    *,
    candidates: int,
    weight: float,
) -> dict[str, float]:
    """(score + `weight` × the reranker's) / (1 + `weight`), in [0, 1] where `scores` are.

    Only the best `candidates` are read. The others are taken to be as good as the worst of those, so they keep their
    order and stay behind all that were read. `bodies` has the text of every id of `scores`.
    """
    order = ranked(scores)
    read, unread = order[:candidates], order[candidates:]
    if not read:
        return {}
    given = dict(zip(read, reranker(question, [bodies[chunk_id] for chunk_id in read]), strict=True))
    worst = min(given.values())
    given |= dict.fromkeys(unread, worst)
    return {chunk_id: (scores[chunk_id] + weight * given[chunk_id]) / (1.0 + weight) for chunk_id in order}
