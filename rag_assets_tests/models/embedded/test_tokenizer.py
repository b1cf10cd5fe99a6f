from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.models.embedded.tokenizer import TooLongError, get_tokenizer


def test_a_long_text_is_neither_cut_nor_padded():
    tokenizer = get_tokenizer()
    assert tokenizer.count("word " * 5000) == 5000
    assert tokenizer.count("word") == 1
    assert tokenizer.count("") == 0


def test_encode_adds_the_special_tokens_and_counts_them():
    tokenizer = get_tokenizer()
    ids = tokenizer.encode("What is a release?", 7)
    assert len(ids) == tokenizer.count("What is a release?") + tokenizer.special_tokens == 7
    assert (ids[0], ids[-1]) == (101, 102)
    with pytest.raises(TooLongError):
        tokenizer.encode("What is a release?", 6)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=200))
def test_offsets_are_ascending_character_offsets_for_any_text(text):
    tokenizer = get_tokenizer()
    ids, spans = tokenizer.spans(text)
    starts = tokenizer.starts(text)
    assert starts.dtype == np.int64
    assert len(ids) == len(spans) == len(starts) == tokenizer.count(text)
    assert np.all(np.diff(starts) >= 0)
    assert np.all((spans[:, 0] >= 0) & (spans[:, 0] < spans[:, 1]) & (spans[:, 1] <= len(text)))


def test_a_lone_surrogate_keeps_the_offsets():
    ids, spans = get_tokenizer().spans("ab\ud800 cd")
    assert len(ids) == len(spans)
    assert spans[-1].tolist() == [4, 6]


def test_offsets_are_of_characters_not_bytes():
    text = "naïve 🙂 日本 done"
    _, spans = get_tokenizer().spans(text)
    assert text[slice(*spans[0])] == "naïve"
    assert text[slice(*spans[-1])] == "done"
