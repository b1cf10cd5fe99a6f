"""The best passages of a search, ordered anew by something that reads them: a second opinion where one is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from rag_assets.config import RetrievalSettings
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
    settings: RetrievalSettings,
) -> dict[str, float]:
    """(score + weight × the reranker's) / (1 + weight), in [0, 1] where `scores` are.

    Read are the best `rerank_candidates` as far as they are within `rerank_margin` of the very best; where that one
    stands alone, nothing is read and `scores` stay as they are. Those that are not read are taken to be as good as the
    worst of those that are, so they keep their order and stay behind. `bodies` has the text of every id of `scores`.
    """
    order = ranked(scores)
    read = [
        chunk_id
        for chunk_id in order[: settings.rerank_candidates]
        if scores[chunk_id] >= scores[order[0]] - settings.rerank_margin
    ]
    if len(read) < 2:
        return dict(scores)
    weight = settings.rerank_weight
    given = dict(zip(read, reranker(question, [bodies[chunk_id] for chunk_id in read]), strict=True))
    worst = min(given.values())
    return {chunk_id: (scores[chunk_id] + weight * given.get(chunk_id, worst)) / (1.0 + weight) for chunk_id in order}
