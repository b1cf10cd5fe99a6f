"""Fusion of ranked lists: pure functions over `{chunk_id: score}`, higher is better on every side.

Each returns `{chunk_id: fused score}` for every id of any side; `ranked` orders any of these dictionaries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def ranked(scores: Mapping[str, float]) -> list[str]:
    """The ids from the highest score to the lowest; equal scores in the order of their ids, so ranks never vary."""
    return sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))


def reciprocal_rank_fusion(sides: Sequence[Mapping[str, float]], *, k: int) -> dict[str, float]:
    """Sum of 1 / (k + rank) over the sides that found the id, rank from 1, divided by its greatest possible value.

    Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
    SIGIR 2009. The division brings scores into (0, 1], so `min_score` means the same for any k and number of sides.
    """
    fused: dict[str, float] = {}
    for side in sides:
        for rank, chunk_id in enumerate(ranked(side), start=1):
            fused[chunk_id] = fused.get(chunk_id, 0.0) + 1.0 / (k + rank)
    greatest = len(sides) / (k + 1)
    return {chunk_id: score / greatest for chunk_id, score in fused.items()}


def convex_combination(
    vector: Mapping[str, float],
    text: Mapping[str, float],
    *,
    vector_weight: float,
    phrases: Mapping[str, float] | None = None,
    phrase_weight: float = 0.0,
) -> dict[str, float]:
    """A weighted mean of scores that are brought into [0, 1]; the result is in [0, 1].

    The cosine (weight `vector_weight`) has a fixed scale and is taken as it is, below 0 as 0. BM25 (weight 1 -
    `vector_weight`) has none, and its zero, no word in common, is meaningful: it is divided by the best of the query
    and not stretched between the least and the best. See Bruch, Gai and Ingber, "An analysis of fusion functions for
    hybrid retrieval", TOIS 2023. `phrases` (weight `phrase_weight`, beside those two) are fractions already. An id that
    a side lacks counts 0 there.
    """
    phrases = phrases or {}
    total = 1.0 + phrase_weight
    # BM25 is never negative; a best of 0 is divided by 1.
    best = max(text.values(), default=0.0) or 1.0
    return {
        chunk_id: (
            vector_weight * min(max(vector.get(chunk_id, 0.0), 0.0), 1.0)
            + (1.0 - vector_weight) * (text.get(chunk_id, 0.0) / best)
            + phrase_weight * phrases.get(chunk_id, 0.0)
        )
        / total
        for chunk_id in vector.keys() | text.keys()
    }
