import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.store.feedback import feedback_vector
from rag_assets.store.fusion import convex_combination, ranked, reciprocal_rank_fusion

SCORES = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1), max_size=8)


def test_equal_scores_rank_in_the_order_of_their_ids():
    assert ranked({"c": 0.5, "a": 0.5, "b": 0.9}) == ["b", "a", "c"]


def test_reciprocal_ranks_add_up_and_first_on_every_side_scores_one():
    fused = reciprocal_rank_fusion([{"a": 9.0, "b": 1.0}, {"a": 0.3, "c": 0.2}], k=60)
    assert fused["a"] == pytest.approx(1.0)
    assert fused["b"] == fused["c"] == pytest.approx((1 / 62) / (2 / 61))


def test_convex_combination_is_the_documented_sum():
    fused = convex_combination(
        {"a": 0.8, "b": -0.2}, {"a": 4.0, "c": 8.0}, vector_weight=0.7, phrases={"c": 1.0}, phrase_weight=0.25
    )
    assert fused["a"] == pytest.approx((0.7 * 0.8 + 0.3 * 0.5) / 1.25)
    assert fused["b"] == 0.0
    assert fused["c"] == pytest.approx((0.3 + 0.25) / 1.25)


def test_fusing_nothing_gives_nothing():
    assert convex_combination({}, {}, vector_weight=0.5) == {}
    assert reciprocal_rank_fusion([{}, {}], k=60) == {}


@given(vector=SCORES, text=SCORES, phrases=SCORES, weight=st.floats(0, 1), phrase_weight=st.floats(0, 1))
def test_convex_scores_stay_between_zero_and_one(vector, text, phrases, weight, phrase_weight):
    fused = convex_combination(vector, text, vector_weight=weight, phrases=phrases, phrase_weight=phrase_weight)
    assert fused.keys() == vector.keys() | text.keys()
    assert all(0.0 <= score <= 1.0 + 1e-9 for score in fused.values())


@given(vector=SCORES, text=SCORES, scale=st.floats(0.01, 1_000))
def test_the_scale_of_bm25_does_not_matter(vector, text, scale):
    once = convex_combination(vector, text, vector_weight=0.6)
    scaled = convex_combination(vector, {key: scale * score for key, score in text.items()}, vector_weight=0.6)
    assert all(math.isclose(once[key], scaled[key], abs_tol=1e-6) for key in once)


def unit(*numbers: float) -> np.ndarray:
    vector = np.array(numbers, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def test_feedback_follows_the_passage_that_stands_out():
    vectors = {"a": unit(0, 1, 0), "b": unit(0, 0, 1)}
    moved = feedback_vector(unit(1, 0, 0), vectors, {"a": 0.9, "b": 0.3}, weight=0.5)
    assert moved == pytest.approx(unit(1, 1, 0), abs=1e-6)


def test_feedback_follows_the_common_direction_of_equals():
    vectors = {"a": unit(0, 1, 0), "b": unit(0, 0, 1)}
    moved = feedback_vector(unit(1, 0, 0), vectors, {"a": 0.5, "b": 0.5}, weight=0.5)
    assert moved == pytest.approx(unit(2, 1, 1), abs=1e-6)


def test_feedback_that_cancels_the_question_out_leaves_it_where_it_was():
    question = unit(1, 0)
    assert feedback_vector(question, {"a": -question}, {"a": 1.0}, weight=0.5) is question
