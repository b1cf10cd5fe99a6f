from __future__ import annotations

import pytest

from rag_assets.evaluation.questions import split_of
from rag_assets.tuning.split import split_of_example

QUESTIONS = [f"What is number {number}?" for number in range(4_000)]


def test_the_share_is_met_and_a_larger_one_keeps_what_a_smaller_one_chose() -> None:
    chosen = {share: {q for q in QUESTIONS if split_of_example(q, share) == "validation"} for share in (0.1, 0.2, 0.5)}
    for share, questions in chosen.items():
        assert len(questions) / len(QUESTIONS) == pytest.approx(share, abs=0.03)
    assert chosen[0.1] < chosen[0.2] < chosen[0.5]


def test_golden_questions_of_the_split_train_fall_on_both_sides() -> None:
    golden = [question for question in QUESTIONS if split_of(question) == "train"]
    share = sum(split_of_example(question, 0.2) == "validation" for question in golden) / len(golden)
    assert share == pytest.approx(0.2, abs=0.05)


SAME = ["WHAT is a release", "what  is\na release?!", "a release is what?", "Ｗhat is a release?"]


@pytest.mark.parametrize("other", SAME)
def test_the_same_words_are_on_the_same_side(other: str) -> None:
    for share in (0.05, 0.2, 0.35, 0.5):
        assert split_of_example(other, share) == split_of_example("What is a release?", share)
