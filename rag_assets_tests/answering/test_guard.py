from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.answering import check_question
from rag_assets.errors import QueryError


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\0", "\0\x01 \x7f"])
def test_a_question_with_nothing_visible_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="empty"):
        check_question(text, max_characters=100)


def test_a_megabyte_is_refused_with_its_length() -> None:
    with pytest.raises(QueryError, match="1,000,000 characters"):
        check_question("a" * 1_000_000, max_characters=4_000)


def test_control_characters_do_not_reach_the_models() -> None:
    assert check_question("what\0is\x1b[31m red?", max_characters=100) == "what is [31m red?"


def test_equal_looking_questions_are_one_question() -> None:
    assert check_question("cafe\u0301", max_characters=10) == check_question("caf\u00e9", max_characters=10)


@given(st.text(max_size=300))
def test_any_text_gives_a_clean_question_or_a_clear_error(text: str) -> None:
    try:
        cleaned = check_question(text, max_characters=200)
    except QueryError:
        return
    assert cleaned == cleaned.strip()
    assert 0 < len(cleaned) <= 200
    cleaned.encode("utf-8")


def test_lone_surrogates_are_replaced() -> None:
    assert check_question("what \ud800 now", max_characters=100) == "what ? now"
