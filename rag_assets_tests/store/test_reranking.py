from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_the_reranker_and_the_fused_score_are_weighed() -> None:
    bodies = BODIES | {"b": "x" * 50}
    scores = reranked(SCORES, "q", bodies, ByLength(), candidates=6, weight=2.0)
    assert scores["b"] == pytest.approx((0.8 + 2 * 0.5) / 3)
    assert ranked(scores)[0] == "b"


def test_what_is_not_read_stays_behind_in_its_order() -> None:
    reranker = ByLength()
    bodies = BODIES | {"c": "x" * 90, "a": ""}
    scores = reranked(SCORES, "q", bodies, reranker, candidates=3, weight=2.0)
    assert ranked(scores) == ["c", "b", "a", "d", "e", "f"]
    assert reranker.read == ["", "text of b", "x" * 90]


def test_nothing_found_is_nothing_to_read() -> None:
    assert reranked({}, "q", {}, ByLength(), candidates=3, weight=2.0) == {}


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.floats(0, 1), min_size=1, max_size=12),
    st.integers(1, 12),
    st.floats(0.01, 100),
)
def test_scores_stay_between_0_and_1_and_the_unread_behind(
    scores: dict[str, float], candidates: int, weight: float
) -> None:
    bodies = {name: name * 7 for name in scores}
    order = ranked(scores)
    found = reranked(scores, "q", bodies, ByLength(), candidates=candidates, weight=weight)
    assert found.keys() == scores.keys() and all(0 <= score <= 1 for score in found.values())
    unread = order[candidates:]
    assert unread == [] or min(found[name] for name in order[:candidates]) >= max(found[name] for name in unread)
