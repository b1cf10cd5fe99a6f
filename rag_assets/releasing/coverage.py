"""Compares a snapshot with what its sources have and with what answers are given from now, document by document.

A step may have refused a document or a whole source: it failed, its vectors are missing, the source is over its budget.
Such a source is *behind*: its previous rows stay, and the others are released without waiting for it. What must never
happen by a release is that an answer is lost or goes back in time: a document that serves now and still exists must
be in the snapshot, in the version that serves or in its present one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from rag_assets.ingestion.generation import Generation
from rag_assets.ledger import Ledger, Snapshot
from rag_assets.releasing.pins import index_of, is_kept
from rag_assets.store import Store, Table, sql_literal
from rag_assets.store.keys import among, difference, keys_of, one_array, only, pairs, without

INDEXED = "index_completeness"
"""The gate that judges one source right after its index step; its verdict says that the step has run."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """`expected`: chunk ids that must each be in the snapshot. `behind`: sources whose newest documents are not in it.

    `lost` and `stale` are ids of documents that serve now: those that the snapshot lacks, and those of which it has
    neither the version that serves nor the present one. `against` is the release that served at the comparison.
    """

    against: str | None
    expected: pa.ChunkedArray
    behind: tuple[str, ...]
    lost: tuple[str, ...]
    stale: tuple[str, ...]


@dataclass(slots=True)
class _Tally:
    expected: list[pa.Array] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)


def subject_of_index(table: str, source: str) -> str:
    """Names the index step of one source; the verdict's detail `chunks` is the state of the chunks it ran over."""
    return f"{table}/{source}"


def is_in_step(ledger: Ledger, table: str, source: str, chunks_version: str) -> bool:
    """Whether the index step of `source` ran last over exactly these chunks."""
    newest = ledger.verdict(INDEXED, subject_of_index(table, source))
    return newest is not None and newest.details.get("chunks") == chunks_version


def compare(
    store: Store,
    ledger: Ledger,
    generation: Generation,
    chunk_versions: Mapping[str, str],
    snapshot: Snapshot,
) -> Coverage:
    """Compares `snapshot` with its sources, which are the keys of `chunk_versions`: source → version of its chunks."""
    indexed = _versions_in(store, snapshot)
    serving = ledger.serving()
    served = _served(store, ledger, snapshot, indexed)
    history = ledger.serving_history()
    went_back = bool(history) and history[0].rollback  # then what is newer than what serves is no step back
    tally = _Tally()
    for name, version in chunk_versions.items():
        in_step = is_in_step(ledger, snapshot.table, name, version)
        dropped = keys_of(ledger.dropped_documents(name))  # a person gave them up: neither expected nor missed
        present = store.raw_documents(name).rows(columns=["document_id", "row_hash"], where="characters > 0")
        present = without(present, "document_id", dropped)
        same = among(pairs(present["document_id"], present["row_hash"]), _states(indexed))
        lagging = one_array(present["document_id"].filter(pc.invert(same)))
        refused = _refused(name, store, ledger, generation, lagging) if in_step else lagging
        sound = difference(present["document_id"], refused)
        tally.expected.append(_chunks_of(store.chunks(name), sound, generation))
        if len(refused):
            tally.behind.append(name)
        _judge_lagging(lagging, indexed, served, tally, went_back=went_back)
    return Coverage(
        against=serving.release_id if serving else None,
        expected=pa.chunked_array(tally.expected, pa.string()),
        behind=tuple(tally.behind),
        lost=tuple(tally.lost),
        stale=tuple(tally.stale),
    )


def _judge_lagging(lagging: pa.Array, indexed: pa.Table, served: pa.Table, tally: _Tally, *, went_back: bool) -> None:
    """Which of the documents that the snapshot has not in their present version answer now from a better one."""
    serves = only(served, "document_id", lagging)
    if not serves.num_rows:
        return
    held = only(indexed, "document_id", lagging)
    tally.lost += sorted(set(difference(serves["document_id"], held["document_id"]).to_pylist()))
    if not went_back:
        kept = only(serves, "document_id", held["document_id"])
        older = kept.filter(pc.invert(among(_states(kept), _states(held))))
        tally.stale += sorted(set(older["document_id"].to_pylist()))


def _served(store: Store, ledger: Ledger, snapshot: Snapshot, indexed: pa.Table) -> pa.Table:
    """What answers are given from now. Nothing, when the tables of the serving release are gone."""
    serving = ledger.serving()
    serves = ledger.snapshot(serving.snapshot_id) if serving else None
    if serves is None or not is_kept(store, serves):
        return indexed.schema.empty_table()
    return indexed if serves.snapshot_id == snapshot.snapshot_id else _versions_in(store, serves)


def _versions_in(store: Store, snapshot: Snapshot, source: str | None = None) -> pa.Table:
    """Each `document_id` with each `document_hash` of it that `snapshot` holds, of one source or of all."""
    where = None if source is None else f"source = {sql_literal(source)}"
    columns = ["document_id", "document_hash"]
    rows = index_of(store, snapshot).rows(columns=columns, where=where, version=snapshot.version)
    return rows.group_by(columns, use_threads=False).aggregate([])


def _states(versions: pa.Table) -> pa.Array:
    return pairs(versions["document_id"], versions["document_hash"])


def document_versions(
    store: Store, snapshot: Snapshot, source: str | None = None, *, documents: Collection[str] | None = None
) -> dict[str, str]:
    """Document → the version (`document_hash`) that `snapshot` holds, of one source, of `documents`, or of all."""
    rows = _versions_in(store, snapshot, source)
    if documents is not None:
        rows = only(rows, "document_id", keys_of(documents))
    return dict(zip(rows["document_id"].to_pylist(), rows["document_hash"].to_pylist(), strict=True))


def present_versions(raw_documents: Table, documents: Collection[str] | None = None) -> dict[str, str]:
    """Document → its version (`row_hash`), for the stored ones of a source, or of `documents`, that have any text."""
    rows = raw_documents.rows(columns=["document_id", "row_hash"], where="characters > 0")
    if documents is not None:
        rows = only(rows, "document_id", keys_of(documents))
    return dict(zip(rows["document_id"].to_pylist(), rows["row_hash"].to_pylist(), strict=True))


def _refused(name: str, store: Store, ledger: Ledger, generation: Generation, lagging: pa.Array) -> pa.Array:
    """Of the documents that lag, those that a step before the index refused."""
    if not len(lagging):
        return lagging
    failed = keys_of({failure.document_id for failure in ledger.failures(name)})
    chunked = only(store.chunks(name).rows(columns=["document_id", "input_hash"]), "document_id", lagging)
    vectors = store.embeddings(generation.space.name, generation.space.dimension)
    known = vectors.locate(chunked["input_hash"])
    without_vector = chunked.filter(known.places.is_null()) if known is not None else chunked
    refused = pc.or_(among(lagging, failed), among(lagging, without_vector["document_id"]))
    return lagging.filter(pc.or_(refused, pc.invert(among(lagging, chunked["document_id"]))))


def _chunks_of(chunks: Table, documents: pa.Array, generation: Generation) -> pa.Array:
    """Chunk ids of these documents, as this generation cuts them."""
    rows = chunks.rows(columns=["chunk_id", "document_id"], where=f"generation = {sql_literal(generation.chunking_id)}")
    return one_array(only(rows, "document_id", documents)["chunk_id"])
