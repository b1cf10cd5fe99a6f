from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.evaluation.answer_metrics import (
    answer_scores,
    citations_hold,
    contains,
    exact_match,
    failed_scores,
    plain,
    token_f1,
    without_marks,
)
from rag_assets.evaluation.model import Expected
from rag_assets.evaluation.questions import make_question

ANSWERABLE = make_question("a", "Who?", expected=[Expected("u")], answers=["Saint Bernadette Soubirous", "Bernadette"])
UNLABELLED = make_question("b", "Where?", expected=[Expected("u")])
UNANSWERABLE = make_question("c", "Why?")
CITED = [{"chunk_id": "1", "quotes": ("by  Bernadette", "in\n1858")}]
TEXTS = {"1": "It was seen by\nBernadette in 1858."}


@pytest.mark.parametrize(
    ("text", "same"),
    [("The Cat, sat!", "cat sat"), ("an  apple a day", "apple day"), ("theatre", "theatre"), ("U.S.", "us"), ("A", "")],
)
def test_the_normalisation_of_squad(text: str, same: str) -> None:
    assert plain(text) == same


@given(st.text())
def test_an_answer_equals_itself(text: str) -> None:
    assert exact_match(text, text) == token_f1(text, text) == contains(text, text) == 1.0


@given(st.text(), st.text())
def test_measures_are_in_their_order_and_in_their_bounds(said: str, accepted: str) -> None:
    assert exact_match(said, accepted) <= token_f1(said, accepted) <= 1
    assert exact_match(said, accepted) <= contains(said, accepted)
    assert token_f1(said, accepted) == token_f1(accepted, said) >= 0


@pytest.mark.parametrize(
    ("said", "accepted", "f1"),
    [
        ("the cat sat", "a cat sat down", 2 * 2 / (2 + 3)),
        ("red red blue", "red green", 2 * 1 / (3 + 2)),
        ("one", "two", 0.0),
    ],
)
def test_token_f1_worked_out_by_hand(said: str, accepted: str, f1: float) -> None:
    assert token_f1(said, accepted) == pytest.approx(f1)


def test_contains_means_whole_words_in_their_order() -> None:
    assert contains("It was in New York, in 1908.", "new york")
    assert not contains("It was in York, and new.", "new york")
    assert not contains("In 1908.", "190")


def test_marks_are_no_words_of_the_answer() -> None:
    assert without_marks("Bernadette [1]. Or so [2][13].") == "Bernadette. Or so."
    scores = answer_scores(ANSWERABLE, answer="Bernadette [1]", refused=False, citations=CITED, texts=TEXTS)
    assert scores == {
        "citation_correctness": 1.0,
        "answer_contains": 1.0,
        "exact_match": 1.0,
        "token_f1": 1.0,
        "answer_words": 1.0,
    }


def test_the_best_of_the_accepted_answers_counts() -> None:
    scores = answer_scores(ANSWERABLE, answer="Saint Bernadette", refused=False, citations=CITED, texts=TEXTS)
    assert scores["token_f1"] == pytest.approx(2 * 2 / (2 + 3))
    assert (scores["exact_match"], scores["answer_contains"], scores["answer_words"]) == (0.0, 1.0, 2.0)


def test_refusals_are_judged_by_what_could_be_answered() -> None:
    def refused(question: Any) -> dict[str, float]:
        return answer_scores(question, answer="No answer.", refused=True, citations=[], texts={})

    zeros = {"answer_contains": 0.0, "exact_match": 0.0, "token_f1": 0.0}
    assert refused(ANSWERABLE) == {"refusal_precision": 0.0, **zeros}
    assert refused(UNLABELLED) == {"refusal_precision": 0.0}
    assert refused(UNANSWERABLE) == {"refusal_precision": 1.0, "refusal_recall": 1.0}
    said = answer_scores(UNANSWERABLE, answer="Because.", refused=False, citations=CITED, texts=TEXTS)
    assert said == {"citation_correctness": 1.0, "refusal_recall": 0.0}


@pytest.mark.parametrize(
    "citations",
    [
        [],
        [{"chunk_id": "gone", "quotes": ("Bernadette",)}],
        [{"chunk_id": "1", "quotes": ()}],
        [{"chunk_id": "1", "quotes": (" ",)}],
        [*CITED, {"chunk_id": "1", "quotes": ("Bernadette", "in 1859")}],
    ],
)
def test_every_quote_of_every_citation_must_stand_in_its_chunk(citations: list[dict[str, Any]]) -> None:
    assert citations_hold(CITED, TEXTS)
    assert not citations_hold(citations, TEXTS)


def test_an_error_fails_in_all_that_the_labels_call_for() -> None:
    assert failed_scores(UNANSWERABLE, judged=True) == {"refusal_recall": 0.0}
    assert failed_scores(UNLABELLED, judged=True) == {"citation_correctness": 0.0}
    assert set(failed_scores(ANSWERABLE, judged=False)) == {
        "citation_correctness", "answer_contains", "exact_match", "token_f1",
    }  # fmt: skip
    assert failed_scores(ANSWERABLE, judged=True)["judge"] == 0.0
