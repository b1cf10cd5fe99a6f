"""Which questions of two sets are the same but for their writing: all pairs compared, exactly.

Two questions are near-duplicates when one of these holds. Case, accents, punctuation, white space, the order of words
and the endings of English words count for nothing in any of them.

- Words: they share at least `threshold` of them, counted as often as each comes (Dice: twice those in common over all).
- One word: one was replaced, added or left out, and what stays is at least `LEAST_SHARED` words of which two say
  something, or all that say something. A share alone would let one changed word pass in every short question.
- Held: the words of one that say something, at least `LEAST_TELLING`, all stand in the other, which has few more. A
  polite introduction hides nothing.
- Letters: they share `LETTERS_SHARE` of their letters in threes and half of the words that say something: another
  spelling.

With a threshold of 1 only equal words count. Words that say nothing are those of `STOP_WORDS`; words like "when" and
"who" say what is asked for. Every pair is looked at, by products of sparse matrices a block of rows at a time: there is
no sample, and no index that could miss one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rag_assets.tuning.gates.words import STOP_WORDS, threes_of, words_of

LEAST_SHARED = 3
LEAST_TELLING_SHARED = 2
LEAST_TELLING = 4
MOST_ADDED = 1.5
"""A question that holds another may have this many times its telling words."""
LETTERS_SHARE = 0.9
MOST_SPELLED_WORDS = 60
"""The letters of longer texts are not compared: no question is that long, and a post has thousands."""
HALF = 0.5
BLOCK_ROWS = 256
KEPT_PAIRS = 1_000

Counts = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two near-duplicates, by their places in the two sets. `similarity` is the share of words, 1 where they equal."""

    left: int
    right: int
    similarity: float


@dataclass(frozen=True, slots=True)
class Matches:
    """The near-duplicates of two sets: how many pairs there are, and the first `KEPT_PAIRS` of them."""

    total: int
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class _Rows:
    """One set: for each question, what it holds as a row of 0 and 1, and how much that is."""

    words: Any
    telling: Any
    letters: Any

    @property
    def sizes(self) -> tuple[Counts, Counts, Counts]:
        return _sizes(self.words), _sizes(self.telling), _sizes(self.letters)


def near_duplicates(left: Sequence[str], right: Sequence[str], threshold: float) -> Matches:
    """The pairs of one of `left` and one of `right` that are near-duplicates, by the rules of this module.

    Questions without a word are near-duplicates of nothing.
    """
    if not left or not right:
        return Matches(0, ())
    ours, theirs = _as_rows(left, right)
    total = 0
    kept: list[Pair] = []
    for start in range(0, len(left), BLOCK_ROWS):
        block = _slice(ours, start, start + BLOCK_ROWS)
        found, shares = _judge(block, theirs, threshold)
        rows, columns = np.nonzero(found)
        total += len(rows)
        places = itertools.islice(zip(rows.tolist(), columns.tolist(), strict=True), KEPT_PAIRS - len(kept))
        kept += [Pair(start + row, column, float(shares[row, column])) for row, column in places]
    return Matches(total, tuple(kept))


def _judge(block: _Rows, theirs: _Rows, threshold: float) -> tuple[Flags, Counts]:
    """Which pairs are near-duplicates, and the share of words of each: both of shape [rows of block, of theirs]."""
    ours_sizes, their_sizes = block.sizes, theirs.sizes
    shared = _dense(block.words @ theirs.words.T)
    few, many = _smaller_and_larger(ours_sizes[0], their_sizes[0])
    shares = 2 * shared / np.maximum(few + many, 1)
    found = (shares >= threshold) & (shared > 0)
    if threshold >= 1:
        return found, shares
    telling = _dense(block.telling @ theirs.telling.T)
    less, more = _smaller_and_larger(ours_sizes[1], their_sizes[1])
    says_the_same = (telling == more) & (telling > 0)
    found |= (many - shared <= 1) & (((shared >= LEAST_SHARED) & (telling >= LEAST_TELLING_SHARED)) | says_the_same)
    found |= (less >= LEAST_TELLING) & (telling == less) & (more <= MOST_ADDED * less)
    alike = 2 * telling >= HALF * (less + more)
    rows, columns = np.nonzero(alike & (telling > 0) & ~found)
    letters = _shares_of_pairs(block.letters, theirs.letters, rows, columns, ours_sizes[2], their_sizes[2])
    found[rows, columns] = letters >= LETTERS_SHARE
    return found, shares


def _shares_of_pairs(
    left: Any, right: Any, rows: npt.NDArray[Any], columns: npt.NDArray[Any], left_sizes: Counts, right_sizes: Counts
) -> Counts:
    """Dice of the rows of `left` and of `right` that are named in pairs."""
    shares = np.empty(len(rows), dtype=np.float32)
    step = 65_536
    for start in range(0, len(rows), step):
        mine, their = rows[start : start + step], columns[start : start + step]
        shared = np.asarray(left[mine].multiply(right[their]).sum(axis=1)).ravel()
        shares[start : start + step] = 2 * shared / np.maximum(left_sizes[mine] + right_sizes[their], 1)
    return shares


def _smaller_and_larger(left: Counts, right: Counts) -> tuple[Counts, Counts]:
    return np.minimum(left[:, None], right[None, :]), np.maximum(left[:, None], right[None, :])


def _as_rows(left: Sequence[str], right: Sequence[str]) -> tuple[_Rows, _Rows]:
    words = [words_of(text) for text in itertools.chain(left, right)]
    kinds = [
        words,
        [[word for word in row if word not in STOP_WORDS] for row in words],
        [threes_of(row) if len(row) <= MOST_SPELLED_WORDS else [] for row in words],
    ]
    cut = len(left)
    matrices = [_matrix(kind) for kind in kinds]
    return _Rows(*(matrix[:cut] for matrix in matrices)), _Rows(*(matrix[cut:] for matrix in matrices))


def _matrix(rows: Iterable[Sequence[str]]) -> Any:
    """A sparse row of ones for each of `rows`. What comes a second time in a row is a column of its own, so that a
    product of two rows counts what they share as often as both have it."""
    from scipy.sparse import csr_matrix

    numbers: dict[tuple[str, int], int] = {}
    columns: list[int] = []
    ends = [0]
    for row in rows:
        columns += [numbers.setdefault(item, len(numbers)) for item in _numbered(row)]
        ends.append(len(columns))
    ones = np.ones(len(columns), dtype=np.float32)
    return csr_matrix((ones, columns, ends), shape=(len(ends) - 1, max(1, len(numbers))))


def _numbered(row: Sequence[str]) -> Iterator[tuple[str, int]]:
    times: dict[str, int] = {}
    for item in row:
        times[item] = times.get(item, 0) + 1
        yield item, times[item]


def _slice(rows: _Rows, start: int, end: int) -> _Rows:
    return _Rows(rows.words[start:end], rows.telling[start:end], rows.letters[start:end])


def _sizes(matrix: Any) -> Counts:
    return np.asarray(np.diff(matrix.indptr), dtype=np.float32)


def _dense(matrix: Any) -> Counts:
    return np.asarray(matrix.toarray(), dtype=np.float32)
