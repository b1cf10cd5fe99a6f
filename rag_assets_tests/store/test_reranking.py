from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.config import RetrievalSettings
from rag_assets.store.fusion import ranked
from rag_assets.store.reranking import reranked

BODIES = {name: f"text of {name}" for name in "abcdef"}
SCORES = {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.6, "e": 0.5, "f": 0.4}


class ByLength:
    """Finds a text the better the longer it is, and remembers what it was asked."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, question: str, texts: Sequence[str]) -> list[float]:
        self.read += texts
        return [len(text) / 100 for text in texts]


def settings(**changes: Any) -> RetrievalSettings:
    return RetrievalSettings(**{"rerank_margin": 1.0, "rerank_weight": 2.0} | changes)


def test_the_reranker_and_the_fused_score_are_weighed() -> None:
    bodies = BODIES | {"b": "x" * 50}
    scores = reranked(SCORES, "q", bodies, ByLength(), settings())
    assert scores["b"] == pytest.approx((0.8 + 2 * 0.5) / 3)
    assert ranked(scores)[0] == "b"


@pytest.mark.parametrize("limit", [{"rerank_candidates": 3}, {"rerank_margin": 0.25}])
def test_what_is_not_read_stays_behind_in_its_order(limit: dict[str, Any]) -> None:
    reranker = ByLength()
    bodies = BODIES | {"c": "x" * 90, "a": ""}
    scores = reranked(SCORES, "q", bodies, reranker, settings(**limit))
    assert ranked(scores) == ["c", "b", "a", "d", "e", "f"]
    assert reranker.read == ["", "text of b", "x" * 90]


def test_a_clear_best_is_left_alone() -> None:
    reranker = ByLength()
    assert reranked(SCORES, "q", BODIES, reranker, settings(rerank_margin=0.05)) == SCORES
    assert reranked({}, "q", {}, reranker, settings()) == {}
    assert reranker.read == []


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.floats(0, 1), min_size=1, max_size=12),
    st.integers(2, 12),
    st.floats(0, 1),
    st.floats(0.01, 100),
)
def test_scores_stay_between_0_and_1_and_the_unread_behind(
    scores: dict[str, float], candidates: int, margin: float, weight: float
) -> None:
    reranker = ByLength()
    bodies = {name: name * 7 for name in scores}
    asked = settings(rerank_candidates=candidates, rerank_margin=margin, rerank_weight=weight)
    order = ranked(scores)
    found = reranked(scores, "q", bodies, reranker, asked)
    assert found.keys() == scores.keys() and all(0 <= score <= 1 for score in found.values())
    read = len(reranker.read)
    assert read <= candidates and sorted(reranker.read) == sorted(bodies[name] for name in order[:read])
    unread = [found[name] for name in order[read:]]
    assert unread == sorted(unread, reverse=True)
    assert not unread or min((found[name] for name in order[:read]), default=1.0) >= unread[0]
