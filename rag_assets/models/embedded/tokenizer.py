"""The WordPiece tokenizer of all-MiniLM-L6-v2: exact counts, exact offsets, no truncation.

The published tokenizer.json asks for truncation at 128 tokens and padding to 128. Both are switched off here: a text
that is too long for the model is an error at the encoder, never a shorter text.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_assets.chunking.words import WordMemo
from rag_assets.errors import InvalidRequestError
from rag_assets.models.embedded.weights import locate_weights, read_tokenizer_file

NAME = "all-MiniLM-L6-v2-wordpiece"
SPECIAL_TOKENS = 2  # [CLS] before and [SEP] after each input
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


class TooLongError(InvalidRequestError):
    """An input has more tokens than the model reads; it is refused, never cut."""

    def __init__(self, tokens: int, limit: int) -> None:
        super().__init__(
            f"An input has {tokens} tokens and the model reads at most {limit}.",
            fix="Split it into chunks of fewer tokens.",
        )
        self.tokens = tokens
        self.limit = limit

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.tokens, self.limit))


class WordPieceTokenizer:
    """Implements `chunking.tokenizer.Tokenizer`. Raises `WeightsError` where the published file is missing."""

    name = NAME
    special_tokens = SPECIAL_TOKENS

    def __init__(self) -> None:
        from tokenizers import Tokenizer

        self._tokenizer: Any = Tokenizer.from_buffer(read_tokenizer_file(locate_weights()))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._words = WordMemo(lambda text: self.spans(text)[1][:, 0])  # WordPiece reads each word by itself

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process loads its own."""
        return get_tokenizer, ()

    def count(self, text: str) -> int:
        """The number of tokens of `text`, special tokens not included."""
        return self._words.count(text)

    def starts(self, text: str) -> NDArray[np.int64]:
        """The character offset at which each token of `text` starts, ascending, special tokens not included."""
        return self._words.starts(text)

    def spans(self, text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Token ids [t] and their character spans [t, 2] in `text`, special tokens not included."""
        encoding = self._encode(text)
        ids = np.asarray(encoding.ids, np.int64)
        return ids, np.asarray(encoding.offsets, np.int64).reshape(-1, 2)

    def encode(self, text: str, max_tokens: int) -> NDArray[np.int64]:
        """The ids that the model reads, special tokens included; raises `TooLongError` above `max_tokens`."""
        ids = self._encode(text, add_special_tokens=True).ids
        if len(ids) > max_tokens:
            raise TooLongError(len(ids), max_tokens)
        return np.asarray(ids, np.int64)

    def _encode(self, text: str, add_special_tokens: bool = False) -> Any:
        try:
            return self._tokenizer.encode(text, add_special_tokens=add_special_tokens)
        except TypeError:  # a lone surrogate has no UTF-8; replaced one for one, so that offsets stay true
            text = _LONE_SURROGATES.sub("\ufffd", text)
            return self._tokenizer.encode(text, add_special_tokens=add_special_tokens)


@functools.cache
def get_tokenizer() -> WordPieceTokenizer:
    """The tokenizer of this process; safe to share between threads."""
    return WordPieceTokenizer()
