"""Token counts of any stretch of a text after tokenising the text once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np
from numpy.typing import NDArray

from rag_assets.chunking.tokenizer import Tokenizer

# A stretch of this many characters weighs at least one token. WordPiece reads a word of more than 100 characters as
# one [UNK], and without this a megabyte of hexadecimal digits would be a chunk of one token.
CHARACTERS_PER_TOKEN_MAX = 128


class TokenRuler:
    """Where the tokens of `text` start, so that counting a slice costs two binary searches.

    A count is exact where the slice starts and ends between two tokens that the tokenizer would also separate in the
    slice alone, and an estimate elsewhere; the chunker counts each finished chunk exactly.
    """

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self.text = text
        self.starts: list[int] = _with_long_stretches(tokenizer.starts(text), len(text)).tolist()

    def count(self, start: int, end: int) -> int:
        """The tokens of `text[start:end]`; a token that `start` cuts in two counts as one."""
        return max(0, bisect_left(self.starts, end) - max(0, bisect_right(self.starts, start) - 1))

    def advance(self, start: int, tokens: int) -> int:
        """The offset at which the stretch of `tokens` tokens that begins at `start` ends; more than `start`."""
        first = max(0, bisect_right(self.starts, start) - 1)
        at = bisect_right(self.starts, start, lo=min(first + tokens, len(self.starts)))
        return self.starts[at] if at < len(self.starts) else len(self.text)

    def retreat(self, end: int, tokens: int) -> int:
        """The offset at which the last `tokens` tokens before `end` begin."""
        at = bisect_left(self.starts, end) - tokens
        return self.starts[at] if at >= 0 else 0


def _with_long_stretches(starts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    gaps = np.diff(np.append(starts, length))
    long = np.flatnonzero(gaps > CHARACTERS_PER_TOKEN_MAX)
    if not long.size:
        return starts
    added = [np.arange(starts[i], starts[i] + gaps[i], CHARACTERS_PER_TOKEN_MAX)[1:] for i in long]
    return np.sort(np.concatenate([starts, *added]))
