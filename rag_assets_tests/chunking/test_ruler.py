"""Counting slices of a text that was tokenised once."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_assets.chunking import Tokenizer
from rag_assets.chunking.ruler import CHARACTERS_PER_TOKEN_MAX, TokenRuler


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    words=st.lists(st.text("abcdefg-'.12", min_size=1, max_size=12), min_size=1, max_size=20), cut=st.integers(0, 19)
)
def test_counts_between_words_are_exact(words: list[str], cut: int, wordpiece: Tokenizer):
    text = " ".join(words)
    cut = len(" ".join(words[: cut % len(words)]))
    ruler = TokenRuler(text, wordpiece)
    assert ruler.count(0, cut) == wordpiece.count(text[:cut]) or cut == 0
    start = cut + 1 if cut else 0
    assert ruler.count(start, len(text)) == wordpiece.count(text[start:])


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(min_size=1, max_size=200), start=st.integers(0, 199), tokens=st.integers(1, 40))
def test_advancing_by_tokens_is_what_counting_says(text: str, start: int, tokens: int, tokenizer: Tokenizer):
    start %= len(text)
    ruler = TokenRuler(text, tokenizer)
    end = ruler.advance(start, tokens)
    assert end > start
    later = ruler.starts and ruler.starts[-1] >= end
    if later and ruler.count(start, end) != tokens:  # several tokens start at one character of several bytes
        assert any(ruler.starts.count(offset) > 1 for offset in ruler.starts)


def test_an_unknown_word_of_any_length_weighs_by_its_characters(wordpiece: Tokenizer):
    word = "0123456789abcdef" * 1_000
    assert wordpiece.count(word) == 1
    assert TokenRuler(word, wordpiece).count(0, len(word)) == len(word) // CHARACTERS_PER_TOKEN_MAX
