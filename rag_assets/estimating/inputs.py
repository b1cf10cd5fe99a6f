"""Which inputs are not sent: the keys of the embeddings table, eight bytes each, and those that the model refused."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rag_assets.store import Table

PREFIX_DIGITS = 16
"""Of a key's 64 hexadecimal digits. Two of a million inputs share them by chance once in 30 million such tables."""


class Inputs:
    """The inputs of one embedding space: those with a vector, those `refused` before, which are not sent again either,
    and those that were met for the first time."""

    def __init__(self, embeddings: Table, refused: Iterable[str] = ()) -> None:
        parts = [_prefixes(batch.column(0)) for batch in embeddings.batches(columns=["input_hash"])]
        parts.append(_prefixes(pa.array(list(refused), pa.string())))
        self._stored = np.sort(np.concatenate(parts))
        self._met: set[int] = set()

    def first_met(self, keys: Iterable[str]) -> list[bool]:
        """Of each key, whether it has no vector and comes here for the first time; it then counts as met."""
        prefixes = [int(key[:PREFIX_DIGITS], 16) for key in keys]
        found = []
        for prefix, known in zip(prefixes, self._known(np.array(prefixes, np.uint64)).tolist(), strict=True):
            found.append(not known and prefix not in self._met)
            if not known:
                self._met.add(prefix)
        return found

    def _known(self, prefixes: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        if not self._stored.size:
            return np.zeros(prefixes.size, bool)
        at = np.minimum(np.searchsorted(self._stored, prefixes), self._stored.size - 1)
        known: npt.NDArray[np.bool_] = self._stored[at] == prefixes
        return known


def _prefixes(keys: pa.Array) -> npt.NDArray[np.uint64]:
    """The first digits of each key as a number."""
    digits = pc.utf8_slice_codeunits(keys, 0, PREFIX_DIGITS).to_pylist()
    return np.array([int(one, 16) for one in digits], np.uint64)
