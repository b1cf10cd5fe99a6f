"""The memory of words gives exactly what the tokenizer gives."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_assets.chunking import Tokenizer
from rag_assets.chunking.words import WordMemo
from rag_assets.models.embedded.tokenizer import get_tokenizer

_TEXT = st.text(
    st.one_of(
        st.sampled_from("abcDEF 12,.-_#\n\t\r\x0b\x0c\x1c\x85\xa0\u2028\u3000\u0301\u200b\ufeff\ufffd日本のかΣς"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=300,
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=_TEXT)
def test_counts_and_starts_are_the_tokenizers(text: str, wordpiece: Tokenizer):
    plain = get_tokenizer().spans(text)[1][:, 0]
    memo = WordMemo(lambda unknown: get_tokenizer().spans(unknown)[1][:, 0])
    for _ in range(2):
        assert memo.count(text) == len(plain)
        assert memo.starts(text).tolist() == plain.tolist()


def test_a_word_is_tokenised_once(wordpiece: Tokenizer):
    asked: list[str] = []

    def starts(text: str) -> npt.NDArray[np.int64]:
        asked.append(text)
        return wordpiece.starts(text)

    memo = WordMemo(starts)
    memo.starts("the index the index")
    assert memo.count("index the, index") == 4
    assert memo.count("index the,") == 3
    words = list(itertools.chain.from_iterable(text.split() for text in asked))
    assert sorted(words) == ["index", "the", "the,"]


def test_a_text_of_no_words_has_no_tokens(wordpiece: Tokenizer):
    memo = WordMemo(wordpiece.starts)
    assert memo.count(" \n") == 0
    assert memo.starts("").tolist() == []
    assert memo.starts("").dtype == np.int64
