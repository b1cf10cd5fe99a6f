from __future__ import annotations

import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.evaluation.model import Expected
from rag_assets.evaluation.questions import SPLIT_SHARES, make_question, normalised, split_of


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


def test_normalising_is_idempotent_for_every_character() -> None:
    odd = [
        point
        for point in range(sys.maxunicode + 1)
        if not 0xD800 <= point < 0xE000 and normalised(normalised(chr(point))) != normalised(chr(point))
    ]
    assert odd == []


def test_case_width_and_white_space_count_for_nothing() -> None:
    assert normalised("  What　IS\n a RELEASE？ ") == normalised("what is a release?")


@given(st.text(min_size=1), st.sampled_from(["upper", "padded"]))
def test_the_split_hangs_on_the_normalised_words_alone(text: str, how: str) -> None:
    same = f"  {text} \n" if how == "padded" else text
    assert split_of(same) == split_of(text) == split_of(normalised(text))


@given(st.sets(st.text(min_size=1), max_size=30), st.sets(st.text(min_size=1), max_size=30))
def test_no_question_moves_when_others_come(some: set[str], more: set[str]) -> None:
    before = {text: split_of(text) for text in some}
    after = {text: split_of(text) for text in some | more}
    assert before.items() <= after.items()


def test_the_splits_have_their_shares() -> None:
    counts = Counter(split_of(f"Question number {number}?") for number in range(20_000))
    assert sum(share for _, share in SPLIT_SHARES) == pytest.approx(1)
    for split, share in SPLIT_SHARES:
        assert counts[split] / 20_000 == pytest.approx(share, abs=0.015)


def test_answerable_is_what_has_something_to_find() -> None:
    assert make_question("a", "Q?", answers=["x"]).answerable
    assert make_question("a", "Q?", expected=[Expected("u")]).answerable
    assert not make_question("a", "Q?").answerable


@pytest.mark.parametrize(
    ("answers", "answerable", "said"), [((), True, "neither expected"), (("x",), False, "unanswerable, but has")]
)
def test_labels_that_contradict_each_other_are_refused(answers: tuple[str, ...], answerable: bool, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make_question("a", "Q?", answers=answers, answerable=answerable)


def test_a_blank_question_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        make_question("a", " \n ")


def test_the_hash_is_of_the_content_and_of_nothing_else() -> None:
    question = make_question("a", "What is it?", expected=[Expected("u"), Expected("v")], answers=["x"], tags=["t"])
    same = make_question("b", " What  is it? ", expected=[Expected("v"), Expected("u")], answers=["x", "x"])
    assert same.question_hash == question.question_hash
    changed = [
        make_question("a", "What is that?", expected=question.expected, answers=["x"]),
        make_question("a", "What is it?", expected=[Expected("u")], answers=["x"]),
        make_question("a", "What is it?", expected=[Expected("u"), Expected("v", heading="H")], answers=["x"]),
        make_question("a", "What is it?", expected=question.expected, answers=["y"]),
        make_question("a", "What is it?", answerable=False),
    ]
    assert len({question.question_hash, *(each.question_hash for each in changed)}) == 6


def test_an_id_is_derived_from_the_words_where_none_is_given() -> None:
    assert make_question("", "What is it?").question_id == make_question("", "what IS it?").question_id
    assert make_question(" a ", "What is it?").question_id == "a"
