"""Which inputs have a vector already: the hashes in the embeddings table and in the spool, eight bytes each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rag_assets.ingestion.input_hashes import HASH_BYTES, Raw, raw_hashes, raw_of
from rag_assets.ingestion.spool import owners, read_records, segments_of

if TYPE_CHECKING:
    from rag_assets.project import Project

PREFIX_BYTES = 8
"""Of a hash's 32. Two of a million inputs share them by chance once in 30 million such tables."""


class Inputs:
    """The inputs of an embedding space: those with a vector or refused before, and those met here for the first time.

    `stored` are their hashes, in any number of parts.
    """

    def __init__(self, stored: Iterable[Raw]) -> None:
        self._stored = np.sort(np.concatenate([np.empty(0, np.uint64), *map(_prefixes, stored)]))
        self._met: set[int] = set()

    @classmethod
    def of(cls, project: Project) -> Inputs:
        """Those of the configured space: in its table, received but not stored yet, and refused by the model."""
        space = project.generation.space
        table = project.store.embeddings(space.name, space.dimension)
        folder = project.spool_dir / space.name
        files = [file for owner in owners(folder) for file in segments_of(folder, owner)]
        return cls(
            [
                *(raw_hashes(batch.column(0)) for batch in table.batches(columns=["input_hash"])),
                *(received.hashes for file in files for received in read_records(file)),
                raw_of(project.ledger.refused(space.name)),
            ]
        )

    def first_met(self, keys: Iterable[str]) -> list[bool]:
        """Of each key, whether it has no vector and comes here for the first time; it then counts as met."""
        prefixes = _prefixes(raw_of(keys))
        found = []
        for prefix, known in zip(prefixes.tolist(), self._known(prefixes).tolist(), strict=True):
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


def _prefixes(hashes: Raw) -> npt.NDArray[np.uint64]:
    """The first bytes of each hash as a number."""
    every = np.frombuffer(hashes.tobytes(), np.uint8).reshape(-1, HASH_BYTES)
    return np.ascontiguousarray(every[:, :PREFIX_BYTES]).view(np.uint64).ravel()
