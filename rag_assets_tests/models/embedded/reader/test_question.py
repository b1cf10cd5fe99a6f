"""What a question asks for, and the stems by which its words are found again."""

from __future__ import annotations

import pytest

from rag_assets.models.embedded.reader.question import read_question
from rag_assets.models.embedded.reader.words import stem, words


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("Who wrote the book?", "person"),
        ("When was it founded?", "date"),
        ("In what year did it open?", "date"),
        ("Where is the office?", "place"),
        ("How many replicas run?", "number"),
        ("What percentage of the traffic is new?", "number"),
        ("Why does the sync fail?", "reason"),
        ("How do I restore a backup?", "manner"),
        ("What is a chunk?", "definition"),
        ("Which bridge collapsed last?", "thing"),
        ("restore a backup", "thing"),
    ],
)
def test_a_question_says_what_it_asks_for(text, asks):
    assert read_question(text).asks == asks


def test_the_head_is_the_noun_that_names_the_answer():
    question = read_question("Which bridge collapsed?")
    assert question.head is not None
    assert question.text[slice(*question.head)] == "bridge"
    assert read_question("Why?").head is None


@pytest.mark.parametrize(
    "forms",
    [("play", "plays", "played", "playing"), ("city", "cities"), ("run", "running"), ("Tesla's".lower(), "tesla")],
)
def test_forms_of_a_word_have_one_stem(forms):
    assert len({stem(form) for form in forms}) == 1


def test_words_know_numbers_dates_and_the_parts_of_compounds():
    by_text = {word.text: word for word in words("In May 1999 the well-known Bob paid 1,000.50 twice.")}
    assert by_text["May"].date and by_text["1999"].date and by_text["1999"].number
    assert by_text["1,000.50"].number and by_text["twice"].number
    assert by_text["well-known"].stems >= {"well", "known"}
    assert by_text["Bob"].capital and not by_text["paid"].capital
    assert not by_text["In"].content and by_text["paid"].content
