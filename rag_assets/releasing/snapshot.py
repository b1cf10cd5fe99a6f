"""Pins what could be released: one exact version of the index of one generation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag_assets.config import RetrievalSettings
from rag_assets.errors import NoReleaseError
from rag_assets.fingerprints import data_version, fingerprint
from rag_assets.ingestion.generation import Generation
from rag_assets.ledger import Ledger, Snapshot
from rag_assets.releasing.gates import COMPLETENESS, TOKEN_BUDGET, GateVerdict, judge_snapshot, subject_of_chunks
from rag_assets.store import IndexTable, Store, Table, sql_literal


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
    pinned while a write is under way. Raises `NoReleaseError` when nothing was ever indexed.
    """
    index = store.vector_index(generation.id, generation.space.dimension, language=retrieval.language)
    if not index.exists():
        raise NoReleaseError(
            "Nothing is indexed yet: no source has given a text.",
            fix="See what each source has with: rag-assets sources validate",
        )
    with index.lock():
        known = {name: _documents(store.raw_documents(name)) for name in sources}
        purged = _purge(index, known)
        index.ensure_indices()
        contents = _contents(index)
        snapshot, new = _pin(index, ledger, generation, retrieval, contents)
    expected, behind, lost = _expected(store, ledger, generation, sources, snapshot)
    verdicts = judge_snapshot(
        snapshot.snapshot_id,
        index=index,
        version=snapshot.version,
        dimension=generation.space.dimension,
        known_documents=known,
        expected=expected,
        lost_sources=lost,
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
        behind=behind,
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
    identity = {"generation": generation.id, "sources": contents.versions, "retrieval": settings}
    snapshot_id = fingerprint(**identity)
    existing = ledger.snapshot(snapshot_id)
    if existing is not None and index.pinned().get(existing.tag) == existing.version:
        return existing, False
    if existing is not None:  # the table was built again since: the same rows, but another version of another table
        snapshot_id = fingerprint(**identity, version=version)
    # A run that died before the ledger knew left its tag; tags never move, and this one keeps the same rows.
    version = index.pinned().get(snapshot_id, version)
    index.pin(version, snapshot_id)
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
        },
    )
    return recorded, True


def _documents(raw_documents: Table) -> frozenset[str]:
    if not raw_documents.exists():
        return frozenset()
    return frozenset(raw_documents.rows(columns=["document_id"])["document_id"].to_pylist())


def _purge(index: IndexTable, known: Mapping[str, frozenset[str]]) -> int:
    """Removes the rows of documents that are gone from their source and of sources that are gone altogether."""
    rows = index.rows(columns=["chunk_id", "document_id", "source"]).to_pylist()
    gone = [row["chunk_id"] for row in rows if row["document_id"] not in known.get(row["source"], ())]
    return index.apply(None, gone).deleted if gone else 0


def _contents(index: IndexTable) -> _Contents:
    rows = index.rows(columns=["chunk_id", "row_hash", "source", "document_id"])
    by_source: dict[str, list[tuple[str, str]]] = {}
    for chunk, row_hash, source in zip(
        rows["chunk_id"].to_pylist(), rows["row_hash"].to_pylist(), rows["source"].to_pylist(), strict=True
    ):
        by_source.setdefault(source, []).append((chunk, row_hash))
    return _Contents(
        versions={name: data_version(pairs, index.name) for name, pairs in sorted(by_source.items())},
        rows=rows.num_rows,
        documents=len(set(rows["document_id"].to_pylist())),
    )


def _expected(
    store: Store, ledger: Ledger, generation: Generation, sources: tuple[str, ...], snapshot: Snapshot
) -> tuple[dict[str, frozenset[str]], tuple[str, ...], tuple[str, ...]]:
    """Chunk ids each source must have, the sources that lag behind their chunks, and those that were lost.

    A document is excused, and its source is behind, when a step before the index refused it: it failed, its chunks are
    of another generation or not all embedded, or its source is over its token budget. Its previous rows stay, and
    `partial_documents` judges whether they are whole. A source that the serving release answers from, that still has
    documents, and that has no row here at all, is lost.
    """
    index = store.vector_index(generation.id, generation.space.dimension)
    embeddings = store.embeddings(generation.space.name, generation.space.dimension)
    expected: dict[str, frozenset[str]] = {}
    behind: list[str] = []
    for name in sources:
        wanted = _chunks_of(store.chunks(name))
        excused = _excused(name, wanted, index, embeddings, generation, ledger, snapshot.version)
        expected[name] = frozenset(row["chunk_id"] for row in wanted if row["document_id"] not in excused)
        if excused:
            behind.append(name)
    return expected, tuple(behind), _lost(store, ledger, sources, snapshot)


def _chunks_of(chunks: Table) -> list[dict[str, Any]]:
    columns = ["chunk_id", "document_id", "document_hash", "row_hash", "input_hash", "generation", "token_count"]
    rows: list[dict[str, Any]] = chunks.rows(columns=columns).to_pylist() if chunks.exists() else []
    return rows


def _excused(
    name: str,
    wanted: list[dict[str, Any]],
    index: IndexTable,
    embeddings: Table,
    generation: Generation,
    ledger: Ledger,
    version: int,
) -> set[str]:
    columns = ["document_id", "document_hash"]
    have = index.rows(columns=columns, where=f"source = {sql_literal(name)}", version=version).to_pylist()
    indexed = {(row["document_id"], row["document_hash"]) for row in have}
    lagging = [row for row in wanted if (row["document_id"], row["document_hash"]) not in indexed]
    if not lagging:
        return set()
    version_of_chunks = data_version(
        ((row["chunk_id"], row["row_hash"]) for row in wanted), f"{name}/{generation.chunking_id}"
    )
    budget = ledger.verdict(TOKEN_BUDGET, subject_of_chunks(name, version_of_chunks))
    if budget is None or not budget.passed:
        return {row["document_id"] for row in lagging}
    inputs = sorted({row["input_hash"] for row in lagging})
    known: set[str] = set()
    if embeddings.exists():
        known = set(embeddings.lookup(inputs, columns=["input_hash"])["input_hash"].to_pylist())
    failed = {failure.document_id for failure in ledger.failures(name)}
    return {
        row["document_id"]
        for row in lagging
        if row["document_id"] in failed or row["input_hash"] not in known or row["generation"] != generation.chunking_id
    }


def _lost(store: Store, ledger: Ledger, sources: tuple[str, ...], snapshot: Snapshot) -> tuple[str, ...]:
    serving = ledger.serving()
    served = ledger.snapshot(serving.snapshot_id) if serving else None
    if served is None:
        return ()
    gone = [name for name in served.sources if name in sources and name not in snapshot.sources]
    return tuple(name for name in gone if store.raw_documents(name).exists() and store.raw_documents(name).count())
