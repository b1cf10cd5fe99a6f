"""A memory of words, for tokenizers that read each word by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from itertools import accumulate, chain

import numpy as np
import numpy.typing as npt

# Only white space that every tokenizer parts words at: BERT's drops a vertical tab, for one, and joins its neighbours.
_WORD = re.compile(r"[^ \t\r\n]+")
_BETWEEN = np.array([ord(character) for character in " \t\r\n"], np.uint32)
_WORDS_MAX = 100_000
_WORD_LENGTH_MAX = 200


class WordMemo:
    """Counts and locates tokens word by word, and asks `starts` only for words that are new.

    Exact if and only if the tokens of a text are the tokens of its words, whatever stands between them. That holds for
    WordPiece and not for byte-pair encodings. Several times as fast as tokenising, since most words have been seen.
    Thread safe; memory is bounded.
    """

    def __init__(self, starts: Callable[[str], npt.NDArray[np.int64]]) -> None:
        self._starts = starts
        self._known: dict[str, tuple[int, ...]] = {}

    def count(self, text: str) -> int:
        """The number of tokens of `text`."""
        words = _WORD.findall(text)
        try:
            return sum(map(len, map(self._known.__getitem__, words)))
        except KeyError:
            return sum(map(len, map(self._learn(words).__getitem__, words)))

    def starts(self, text: str) -> npt.NDArray[np.int64]:
        """Shape [n_tokens]: the offset at which each token of `text` starts."""
        words = _WORD.findall(text)
        inner = list(map(self._learn(words).__getitem__, words))
        offsets = np.repeat(_word_offsets(text), np.fromiter(map(len, inner), np.int64, len(inner)))
        return offsets + np.fromiter(chain.from_iterable(inner), np.int64, len(offsets))

    def _learn(self, words: Collection[str]) -> Mapping[str, tuple[int, ...]]:
        """A mapping that has all of `words`; the new ones are tokenised in one call."""
        known = self._known
        new = list(set(words).difference(known))
        if not new:
            return known
        if len(known) > _WORDS_MAX:
            self._known = {}  # another thread may still read the old one
        firsts = np.fromiter(accumulate((len(word) + 1 for word in new[:-1]), initial=0), np.int64, len(new))
        starts = self._starts(" ".join(new))
        cuts = np.searchsorted(starts, firsts[1:])
        learned = {
            word: tuple((part - first).tolist())
            for word, first, part in zip(new, firsts, np.split(starts, cuts), strict=True)
        }
        self._known.update((word, inner) for word, inner in learned.items() if len(word) <= _WORD_LENGTH_MAX)
        return {word: learned[word] if word in learned else known[word] for word in set(words)}


def _word_offsets(text: str) -> npt.NDArray[np.int64]:
    """Where each match of `_WORD` starts; a match object for each would cost as much as everything else."""
    code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    in_word = ~np.isin(code_points, _BETWEEN)
    return np.flatnonzero(in_word & ~np.concatenate([[False], in_word[:-1]])).astype(np.int64)
