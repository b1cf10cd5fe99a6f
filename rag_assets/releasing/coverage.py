"""Compares a snapshot with what its sources have and with what answers are given from now, document by document.

A step may have refused a document or a whole source: it failed, its vectors are missing, the source is over its budget.
Such a source is *behind*: its previous rows stay, and the others are released without waiting for it. What must never
happen by a release is that an answer is lost or goes back in time: a document that serves now and still exists must
be in the snapshot, in the version that serves or in its present one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rag_assets.ingestion.generation import Generation
from rag_assets.ledger import Ledger, Snapshot
from rag_assets.store import Store, Table, sql_literal

INDEXED = "index_completeness"
"""The gate that judges one source right after its index step; its verdict says that the step has run."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """`expected`: chunk ids that must each be in the snapshot. `behind`: sources whose newest documents are not in it.

    `lost` and `stale` are ids of documents that serve now: those that the snapshot lacks, and those of which it has
    neither the version that serves nor the present one. `against` is the release that served at the comparison.
    """

    against: str | None
    expected: frozenset[str]
    behind: tuple[str, ...]
    lost: tuple[str, ...]
    stale: tuple[str, ...]


@dataclass(slots=True)
class _Tally:
    expected: set[str] = field(default_factory=set)
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
    indexed = document_versions(store, snapshot)
    serving = ledger.serving()
    served = _served(store, ledger)
    history = ledger.serving_history()
    went_back = bool(history) and history[0].rollback  # then what is newer than what serves is no step back
    tally = _Tally()
    for name, version in chunk_versions.items():
        in_step = is_in_step(ledger, snapshot.table, name, version)
        dropped = ledger.dropped_documents(name)  # a person gave them up: neither expected nor missed
        present = {
            key: version for key, version in present_versions(store.raw_documents(name)).items() if key not in dropped
        }
        lagging = {key for key, version in present.items() if indexed.get(key) != version}
        refused = _refused(name, store, ledger, generation, lagging) if in_step else lagging
        tally.expected |= _chunks_of(store.chunks(name), present.keys() - refused, generation)
        if refused:
            tally.behind.append(name)
        for key in sorted(lagging):
            if key in served and key not in indexed:
                tally.lost.append(key)
            elif key in served and served[key] != indexed[key] and not went_back:
                tally.stale.append(key)
    return Coverage(
        against=serving.release_id if serving else None,
        expected=frozenset(tally.expected),
        behind=tuple(tally.behind),
        lost=tuple(tally.lost),
        stale=tuple(tally.stale),
    )


def _served(store: Store, ledger: Ledger) -> dict[str, str]:
    """What answers are given from now. Nothing, when the tables of the serving release are gone."""
    serving = ledger.serving()
    snapshot = ledger.snapshot(serving.snapshot_id) if serving else None
    if snapshot is None:
        return {}
    table = store.vector_index(snapshot.generation, int(snapshot.details["dimension"]))
    if table.pinned().get(snapshot.tag) != snapshot.version:
        return {}
    return document_versions(store, snapshot)


def document_versions(store: Store, snapshot: Snapshot, source: str | None = None) -> dict[str, str]:
    """Document → the version (`document_hash`) of it that `snapshot` holds, of one source or of all."""
    table = store.vector_index(snapshot.generation, int(snapshot.details["dimension"]))
    where = None if source is None else f"source = {sql_literal(source)}"
    rows = table.rows(columns=["document_id", "document_hash"], where=where, version=snapshot.version)
    return dict(zip(rows["document_id"].to_pylist(), rows["document_hash"].to_pylist(), strict=True))


def present_versions(raw_documents: Table) -> dict[str, str]:
    """Document → its version (`row_hash`), for the stored documents of a source that have any text."""
    if not raw_documents.exists():
        return {}
    rows = raw_documents.rows(columns=["document_id", "row_hash"], where="characters > 0")
    return dict(zip(rows["document_id"].to_pylist(), rows["row_hash"].to_pylist(), strict=True))


def _refused(name: str, store: Store, ledger: Ledger, generation: Generation, lagging: set[str]) -> set[str]:
    """Of the documents that lag, those that a step before the index refused."""
    if not lagging:
        return set()
    refused = {failure.document_id for failure in ledger.failures(name)} & lagging
    chunks = store.chunks(name)
    rows = chunks.rows(columns=["document_id", "input_hash"]).to_pylist() if chunks.exists() else []
    waiting = {row["input_hash"]: row["document_id"] for row in rows if row["document_id"] in lagging}
    vectors = store.embeddings(generation.space.name, generation.space.dimension)
    known = set(vectors.lookup(sorted(waiting), columns=["input_hash"])["input_hash"].to_pylist())
    without_vector = {row["document_id"] for row in rows if row["input_hash"] in waiting.keys() - known} & lagging
    chunked = {row["document_id"] for row in rows}
    return refused | without_vector | (lagging - chunked)


def _chunks_of(chunks: Table, documents: set[str], generation: Generation) -> set[str]:
    """Chunk ids of these documents, as this generation cuts them."""
    if not chunks.exists():
        return set()
    rows = chunks.rows(columns=["chunk_id", "document_id", "generation"]).to_pylist()
    return {
        row["chunk_id"]
        for row in rows
        if row["document_id"] in documents and row["generation"] == generation.chunking_id
    }
