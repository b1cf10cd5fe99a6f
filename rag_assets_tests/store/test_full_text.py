import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.errors import QueryError
from rag_assets.store.full_text import WORDS_MAX, check_query, phrase_scores, query_words, words


@pytest.mark.parametrize("query", ["", " \n\t ", "\0", "\u200b", "\ud800"])
def test_a_query_with_nothing_visible_is_an_error(query):
    with pytest.raises(QueryError, match="empty"):
        check_query(query)


def test_words_carry_no_syntax():
    assert " ".join(words("""SELECT * FROM "t" WHERE [a:b]~2 +x^3; -- 'ü'""")) == "select from t where a b 2 x 3 ü"


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_any_text_becomes_words_that_utf_8_can_hold(text):
    assert all(word.encode() for word in query_words(text))


def test_a_megabyte_is_cut():
    assert len(query_words("word " * 200_000)) == WORDS_MAX


PASSAGES = {
    "a": "The elections take place every four years.",
    "b": "The place where elections take long.",
    "c": "A parliament sits in the place of elections.",
    "d": "The budget is for a year.",
    "e": "The law.",
}


def test_the_passage_with_the_same_pairs_scores_most():
    scores = phrase_scores(words("When do the elections take place?"), PASSAGES | {"f": "The end.", "g": "The start."})
    assert scores["a"] == 1.0
    assert 0.0 < scores["b"] < 1.0
    assert scores["c"] == scores["d"] == 0.0


def test_pairs_of_words_that_most_passages_have_do_not_count():
    passages = {str(number): "it is the case" for number in range(9)} | {"odd": "something else"}
    assert phrase_scores(words("is it the case"), passages) == {}


@pytest.mark.parametrize(("terms", "passages"), [([], PASSAGES), (["one"], PASSAGES), (["take", "place"], {})])
def test_nothing_to_pair_scores_nothing(terms, passages):
    assert phrase_scores(terms, passages) == {}
