from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.errors import ConfigurationError
from rag_assets.models import tokenizers
from rag_assets.models.tokenizers import BPE_ENCODINGS, load_tokenizer

# Counted with tiktoken 0.14.0 (`encode_ordinary`).
TIKTOKEN_COUNTS = [
    ("", 0, 0),
    ("Hello, world!", 4, 4),
    ("naïve café 世界 😀 👩‍👩‍👧", 21, 14),
    ("<|endoftext|> is text here", 10, 10),
    ("def f(x):\n    return x ** 2\n", 11, 11),
    ("   \n\n  1234567 don't WON'T", 10, 9),
]


@pytest.mark.parametrize(("text", "cl100k", "o200k"), TIKTOKEN_COUNTS)
def test_counts_equal_tiktoken(text, cl100k, o200k):
    assert (load_tokenizer("cl100k_base").count(text), load_tokenizer("o200k_base").count(text)) == (cl100k, o200k)


@pytest.mark.parametrize("name", BPE_ENCODINGS)
@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=200))
def test_starts_are_the_offsets_of_the_tokens(name, text):
    tokenizer = load_tokenizer(name)
    starts = tokenizer.starts(text)
    assert len(starts) == tokenizer.count(text)
    assert starts.dtype == np.int64
    assert (np.diff(starts) >= 0).all()
    if len(text):
        assert starts[0] == 0
        assert starts[-1] < len(text)


def test_a_token_inside_a_character_starts_at_that_character():
    starts = load_tokenizer("cl100k_base").starts("a👩b")
    assert starts.tolist() == [0, 1, 1, 1, 2]


@pytest.mark.parametrize("name", BPE_ENCODINGS)
def test_cutting_long_texts_changes_no_token(name, monkeypatch):
    text = "".join(
        f"Line {n} of 漢字。 It's a ‘test’, isn't it?\n\n  - item_{n}/x;\t(42) #{n * 7919}\n" for n in range(400)
    )
    tokenizer = load_tokenizer(name)
    whole = tokenizer.starts(text)
    monkeypatch.setattr(tokenizers, "_WINDOW_CHARACTERS", 500)
    assert np.array_equal(tokenizer.starts(text), whole)
    assert tokenizer.count(text) == len(whole)


def test_a_text_above_the_library_s_limits_is_counted():
    text = "word " * 250_000  # 1.25 million characters and 250,000 tokens: both above the limits
    assert load_tokenizer("o200k_base").count(text) == 250_001


def test_lone_surrogates_are_counted_and_keep_offsets():
    starts = load_tokenizer("o200k_base").starts("a \ud83d\ude00 end")  # two halves, not a pair, in a Python string
    assert starts[-1] == 4


def test_a_tokenizer_file_is_used_without_its_truncation_and_padding(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(_whitespace_tokenizer()))
    tokenizer = load_tokenizer(str(path))
    assert tokenizer.count("one two three") == 3
    assert tokenizer.starts("one  two three").tolist() == [0, 5, 9]
    assert tokenizer.special_tokens == 0
    assert tokenizer.name.startswith("tokenizer-json-")


@pytest.mark.parametrize("content", [None, "{", '{"version": "1.0"}'])
def test_a_bad_tokenizer_is_one_clear_line(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"models\.embedding\.tokenizer") as caught:
        load_tokenizer(str(path))
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigurationError, match="cl100k_base, o200k_base, all-MiniLM-L6-v2"):
        load_tokenizer("p50k")


def _whitespace_tokenizer() -> dict[str, object]:
    return {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "padding": {
            "strategy": {"Fixed": 8},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[UNK]",
        },
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "one": 1, "two": 2}, "unk_token": "[UNK]"},
    }
