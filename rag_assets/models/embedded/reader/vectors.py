"""Token vectors of a text of any length, by an encoder that reads only so many tokens at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from rag_assets.models.embedded.reader.memory import Remembered
from rag_assets.models.embedded.reader.sentences import units

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

# The encoder was trained on inputs of up to 256 tokens, two of which are special.
WINDOW_TOKENS = 254
_READERS = 2
_REMEMBERED_BYTES = 128 * 2**20  # of about 350 passages with 240 tokens


class Tokens(Protocol):
    """What the reader needs of a tokenizer."""

    def starts(self, text: str) -> Integers:
        """The character offset at which each token starts, ascending."""
        ...


class TokenEncoder(Protocol):
    """What the reader needs of an encoder."""

    @property
    def tokenizer(self) -> Tokens:
        """The tokenizer whose tokens `token_vectors` has rows for."""
        ...

    def token_vectors(self, text: str) -> tuple[Floats, Integers, Integers]:
        """Unit rows [t, d], character spans [t, 2] and vocabulary ids [t], without special tokens."""
        ...


@dataclass(frozen=True, slots=True)
class Vectors:
    """Unit token vectors [t, d], their character spans [t, 2] and vocabulary ids [t]."""

    rows: Floats
    spans: Integers
    ids: Integers


def token_vectors(encoder: TokenEncoder, text: str) -> Vectors:
    """Vectors of every token of `text`.

    Each token is read within its window of at most 254 tokens; a text that is longer is cut between quotable units
    into windows of about equal size, and within a unit only where that alone is longer.
    """
    parts = [(start, encoder.token_vectors(text[start:end])) for start, end in windows(encoder.tokenizer, text)]
    return Vectors(
        np.concatenate([rows for _, (rows, _, _) in parts]),
        np.concatenate([spans + start for start, (_, spans, _) in parts]),
        np.concatenate([ids for _, (_, _, ids) in parts]),
    )


_remembered: WeakKeyDictionary[TokenEncoder, Remembered[Vectors]] = WeakKeyDictionary()


def token_vectors_of(encoder: TokenEncoder, texts: Sequence[str]) -> list[Vectors]:
    """`token_vectors` of each of `texts`, two at a time; what a text's vectors are does not depend on the others.

    Those of the texts read last are remembered, for the questions of one topic find the same passages.
    """
    memory = _remembered.setdefault(encoder, Remembered(_REMEMBERED_BYTES, _size_bytes))
    with ThreadPoolExecutor(_READERS, thread_name_prefix="reader") as pool:
        return list(pool.map(lambda text: memory.get(text, lambda key: token_vectors(encoder, key)), texts))


def _size_bytes(vectors: Vectors) -> int:
    return int(vectors.rows.nbytes + vectors.spans.nbytes + vectors.ids.nbytes)


def windows(tokenizer: Tokens, text: str, *, most_tokens: int = WINDOW_TOKENS) -> list[tuple[int, int]]:
    """Spans that cover `text` in order, each of at most `most_tokens` tokens (a few less, for words cut in pieces)."""
    starts = tokenizer.starts(text)
    if len(starts) <= most_tokens:
        return [(0, len(text))]
    even = -(-len(starts) // -(-len(starts) // (most_tokens - most_tokens // 8)))
    unit_firsts = np.searchsorted(starts, [unit.start for unit in units(text)])
    cuts, first = [0], 0
    while len(starts) - first > most_tokens:
        fitting = unit_firsts[(unit_firsts > first) & (unit_firsts <= first + most_tokens)]
        first = int(fitting[np.abs(fitting - first - even).argmin()]) if len(fitting) else first + most_tokens // 2
        cuts.append(int(starts[first]))
    return list(zip(cuts, [*cuts[1:], len(text)], strict=True))
