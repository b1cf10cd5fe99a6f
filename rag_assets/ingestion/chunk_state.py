"""Which documents must be cut, and what is stored of their chunks: Arrow columns, read a slab of rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rag_assets.store import Table
from rag_assets.store.sql import any_of

SLAB_ROWS = 65_536
"""Rows that are compared at once: each comparison builds a table of all document ids."""
LOOKED_UP_MAX = 500
"""Up to so many documents are asked for by id; of more, the whole table is read."""
DOCUMENT_COLUMNS = ["document_id", "row_hash", "characters"]
CHUNK_COLUMNS = ["chunk_id", "document_id", "document_hash", "generation"]
STORED_COLUMNS = ["chunk_id", "document_id", "row_hash"]


@dataclass(slots=True)
class Comparison:
    """What is due in `documents` (columns `document_id`, `row_hash`, `characters`), and why.

    `seen` says of each document whether it has chunks, `changed` whether one of them was cut from another version of
    it, `outdated` whether one was cut by another chunking. `orphans` are ids of chunks whose document is gone.
    """

    documents: pa.Table
    seen: np.ndarray
    changed: np.ndarray
    outdated: np.ndarray
    orphans: list[str] = field(default_factory=list)
    orphaned_documents: set[str] = field(default_factory=set)
    generations: set[str] = field(default_factory=set)

    @property
    def due(self) -> np.ndarray:
        """Which documents must be cut: as `difference.is_chunking_due` says, save that one without text is not due."""
        has_text = self.documents["characters"].to_numpy() > 0
        return np.asarray(np.where(self.seen, self.changed | self.outdated, has_text), bool)


def compare(raw_documents: Table, chunks: Table, chunking_id: str) -> Comparison:
    """Compares what is stored of a source's documents with what is stored of their chunks."""
    documents = raw_documents.rows(columns=DOCUMENT_COLUMNS).select(DOCUMENT_COLUMNS)
    seen, changed, outdated = (np.zeros(documents.num_rows, bool) for _ in range(3))
    found = Comparison(documents, seen, changed, outdated)
    for slab in _slabs(chunks.batches(columns=CHUNK_COLUMNS)):
        _compare_slab(found, slab, chunking_id)
    return found


def _compare_slab(found: Comparison, slab: pa.Table, chunking_id: str) -> None:
    at = pc.index_in(slab["document_id"], value_set=found.documents["document_id"])
    if at.null_count:
        gone = slab.filter(pc.is_null(at))
        found.orphans += gone["chunk_id"].to_pylist()
        found.orphaned_documents.update(gone["document_id"].to_pylist())
        slab, at = slab.filter(pc.is_valid(at)), at.drop_null()
    positions = at.to_numpy()
    found.seen[positions] = True
    other_version = pc.not_equal(found.documents["row_hash"].take(at), slab["document_hash"]).to_numpy()
    found.changed[positions[other_version]] = True
    other_chunking = pc.not_equal(slab["generation"], chunking_id).to_numpy()
    found.outdated[positions[other_chunking]] = True
    found.generations.update(pc.unique(slab["generation"]).to_pylist())


def _slabs(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    slab: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        slab.append(batch)
        rows += batch.num_rows
        if rows >= SLAB_ROWS:
            yield pa.Table.from_batches(slab)
            slab, rows = [], 0
    if rows:
        yield pa.Table.from_batches(slab)


class StoredChunks:
    """The chunks that are stored of the due documents, in the order of these documents."""

    def __init__(self, chunks: Table, due_ids: pa.Array, seen: np.ndarray) -> None:
        asked = due_ids.filter(pa.array(seen))
        few = len(asked) <= LOOKED_UP_MAX
        where = any_of("document_id", asked.to_pylist()) if few else None
        pieces, positions = [], []
        for slab in _slabs(chunks.batches(columns=STORED_COLUMNS, where=where)) if len(asked) else ():
            at = pc.index_in(slab["document_id"], value_set=due_ids)
            pieces.append(slab.select(STORED_COLUMNS).filter(pc.is_valid(at)))
            positions.append(at.drop_null().to_numpy())
        where_from = np.concatenate(positions) if positions else np.empty(0, np.int32)
        order = np.argsort(where_from, kind="stable")
        rows = pa.concat_tables(pieces) if pieces else None
        self._rows = rows.take(pa.array(order)) if rows is not None else None
        self._starts = np.searchsorted(where_from[order], np.arange(len(due_ids) + 1))

    def of(self, positions: Sequence[int]) -> pa.Table:
        """`chunk_id`, `document_id` and `row_hash` of the chunks of the due documents at `positions`."""
        if self._rows is None:
            return pa.table({name: pa.array([], pa.string()) for name in STORED_COLUMNS})
        ranges = [np.arange(self._starts[at], self._starts[at + 1]) for at in positions]
        return self._rows.take(pa.array(np.concatenate(ranges), pa.int64()))


@dataclass(frozen=True, slots=True)
class Difference:
    """What to write and what to remove so that the chunks of some documents are as they were cut."""

    upserts: pa.Table
    deletes: list[str]
    added: int


def difference(cut: pa.RecordBatch, stored: pa.Table, failed: Sequence[str]) -> Difference:
    """Compares chunks by id and hash. Documents that `failed` to be cut (ids) keep what they have."""
    at = pc.index_in(cut["chunk_id"], value_set=stored["chunk_id"])
    same = pc.fill_null(pc.equal(stored["row_hash"].take(at), pa.chunked_array([cut["row_hash"]])), False)
    kept = pc.or_(
        pc.is_in(stored["chunk_id"], value_set=cut["chunk_id"]),
        pc.is_in(stored["document_id"], value_set=pa.array(failed, pa.string())),
    )
    return Difference(
        upserts=pa.Table.from_batches([cut]).filter(pc.invert(same)),
        deletes=stored["chunk_id"].filter(pc.invert(kept)).to_pylist(),
        added=at.null_count,
    )
