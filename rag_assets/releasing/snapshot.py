"""Pins what could be released: one exact version of the index of one generation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from rag_assets.config import RetrievalSettings
from rag_assets.errors import NoReleaseError
from rag_assets.failpoints import failpoint
from rag_assets.fingerprints import data_version_of_columns, fingerprint
from rag_assets.ingestion import chunks_version
from rag_assets.ingestion.generation import Generation
from rag_assets.ledger import Ledger, Snapshot
from rag_assets.releasing.coverage import INDEXED, compare, subject_of_index
from rag_assets.releasing.gates import COMPLETENESS, GateVerdict, judge_snapshot
from rag_assets.store import IndexTable, Store
from rag_assets.store.keys import among, distinct, pairs

TRIES = 5


@dataclass(frozen=True, slots=True)
class SnapshotResult:
    """A pinned index. `behind` are sources whose newest chunks are not in it because a step before it refused them."""

    snapshot_id: str
    generation: str
    table: str
    version: int
    rows: int
    documents: int
    sources: dict[str, str]
    behind: tuple[str, ...]
    purged_rows: int
    unindexed_rows: int
    new: bool
    verdicts: tuple[GateVerdict, ...]

    @property
    def passed(self) -> bool:
        return all(verdict.passed for verdict in self.verdicts)


def take_snapshot(
    store: Store,
    ledger: Ledger,
    *,
    generation: Generation,
    sources: tuple[str, ...],
    retrieval: RetrievalSettings,
) -> SnapshotResult:
    """Pins the index as it is, with the rows of vanished documents and of unconfigured sources removed first.

    The same rows and settings give the same snapshot, pinned once. It holds the index's write lock, so that nothing is
    pinned while a write is under way. Other runs go on meanwhile: what was found wanting while one of them wrote is
    looked at again. Raises `NoReleaseError` when nothing was ever indexed.
    """
    index = store.vector_index(generation.id, generation.space.dimension, retrieval=retrieval)
    tables = [index, *(table for name in sources for table in (store.raw_documents(name), store.chunks(name)))]
    for _ in range(TRIES - 1):
        before = [table.version() for table in tables]
        result = _take(store, ledger, index, generation, sources, retrieval)
        if result.passed or before == [table.version() for table in tables]:
            return result
    return _take(store, ledger, index, generation, sources, retrieval)


def _take(
    store: Store,
    ledger: Ledger,
    index: IndexTable,
    generation: Generation,
    sources: tuple[str, ...],
    retrieval: RetrievalSettings,
) -> SnapshotResult:
    if not index.exists():
        raise NoReleaseError(
            "Nothing is indexed yet: no source has given a text.",
            fix="See what each source has with: rag-assets sources validate",
        )
    with index.lock():
        known = _known_documents(store, sources)
        purged = _purge(index, known, ledger)
        index.ensure_indices()
        contents = _contents(index)
        snapshot, new = _pin(index, ledger, generation, retrieval, contents)
    versions = {name: chunks_version(name, store.chunks(name), generation) for name in sources}
    coverage = compare(store, ledger, generation, versions, snapshot)
    verdicts = judge_snapshot(
        snapshot.snapshot_id,
        index=index,
        version=snapshot.version,
        dimension=generation.space.dimension,
        known_documents=known,
        coverage=coverage,
        ledger=ledger,
    )
    return SnapshotResult(
        snapshot_id=snapshot.snapshot_id,
        generation=generation.id,
        table=index.name,
        version=snapshot.version,
        rows=contents.rows,
        documents=contents.documents,
        sources=contents.versions,
        behind=coverage.behind,
        purged_rows=purged,
        unindexed_rows=index.unindexed_rows(),
        new=new,
        verdicts=tuple(verdicts),
    )


def candidate(ledger: Ledger) -> Snapshot:
    """The snapshot that was judged last: what a release would be made from. Raises `NoReleaseError`."""
    judged = ledger.verdicts(COMPLETENESS, limit=1)
    snapshot = ledger.snapshot(judged[0].subject) if judged else None
    if snapshot is None:
        raise NoReleaseError("No snapshot was taken yet.", fix="Materialize index_snapshot, or run: rag-assets ingest")
    return snapshot


@dataclass(frozen=True, slots=True)
class _Contents:
    versions: dict[str, str]
    rows: int
    documents: int


def _pin(
    index: IndexTable, ledger: Ledger, generation: Generation, retrieval: RetrievalSettings, contents: _Contents
) -> tuple[Snapshot, bool]:
    """The snapshot of these contents, and whether it is new. Pinned in the store before the ledger says that it is."""
    version = index.version()
    settings = retrieval.model_dump(mode="json")
    identity = snapshot_identity(generation, contents.versions, retrieval)
    snapshot_id = fingerprint(**identity)
    existing = ledger.snapshot(snapshot_id)
    pinned = existing is not None and index.pinned().get(existing.tag) == existing.version
    if existing is not None and pinned and existing.unpinned_at is None:
        return existing, False
    if existing is not None and not pinned:  # pruned, or of a table that was built again since: another version
        snapshot_id = fingerprint(**identity, version=version)
    # A run that died before the ledger knew left its tag; tags never move, and this one keeps the same rows.
    version = index.pinned().get(snapshot_id, version)
    index.pin(version, snapshot_id)
    failpoint("snapshot.between_pin_and_ledger")
    recorded = ledger.record_snapshot(
        snapshot_id,
        generation=generation.id,
        table_name=index.name,
        version=version,
        space=generation.space.name,
        retrieval=settings,
        sources=contents.versions,
        tag=snapshot_id,
        details={
            "rows": contents.rows,
            "documents": contents.documents,
            "dimension": generation.space.dimension,
            "space_fingerprint": generation.space.fingerprint,
            **generation.parts,
        },
    )
    return recorded, True


def snapshot_identity(
    generation: Generation, sources: Mapping[str, str], retrieval: RetrievalSettings
) -> dict[str, Any]:
    """What the id of a snapshot is the fingerprint of; `sources`: name → data version of its rows in the index."""
    return {"generation": generation.id, "sources": dict(sources), "retrieval": retrieval.model_dump(mode="json")}


def _known_documents(store: Store, sources: Iterable[str]) -> pa.Array:
    """Pairs of a source and a document that it has now."""
    found = [store.raw_documents(name).rows(columns=["source", "document_id"]) for name in sources]
    if not found:
        return pa.array([], pa.string())
    rows = pa.concat_tables(found)
    return pairs(rows["source"], rows["document_id"])


def _purge(index: IndexTable, known: pa.Array, ledger: Ledger) -> int:
    """Removes the rows of documents that are gone from their source and of sources that are gone altogether.

    The index step of these sources then has not run over what is there now, whatever it left in the ledger.
    """
    rows = index.rows(columns=["chunk_id", "document_id", "source"])
    gone = rows.filter(pa.compute.invert(among(pairs(rows["source"], rows["document_id"]), known)))
    if not gone.num_rows:
        return 0
    for name in sorted(distinct(gone["source"]).to_pylist()):
        ledger.record_verdict(INDEXED, subject_of_index(index.name, name), False, {"reason": "rows were removed since"})
    return index.apply(None, distinct(gone["chunk_id"]).to_pylist()).deleted


def _contents(index: IndexTable) -> _Contents:
    rows = index.rows(columns=["source", "chunk_id", "row_hash", "document_id"])
    documents = len(distinct(rows["document_id"]))
    rows = rows.select(["source", "chunk_id", "row_hash"]).sort_by("source")
    versions = {}
    start = 0
    for name, count in sorted((one["values"], one["counts"]) for one in rows["source"].value_counts().to_pylist()):
        own = rows.slice(start, count).to_batches()
        columns = ((batch.column("chunk_id"), batch.column("row_hash")) for batch in own)
        versions[name] = data_version_of_columns(columns, index.name)
        start += count
    return _Contents(versions=versions, rows=rows.num_rows, documents=documents)
