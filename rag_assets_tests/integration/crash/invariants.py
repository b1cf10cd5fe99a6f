"""What must hold when a run has ended well, whatever was killed before it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
from sqlalchemy import select

from rag_assets.cli.instance import dagster_home
from rag_assets.fingerprints import sha256_hex
from rag_assets.ledger.tables import embedding_claims
from rag_assets.project import Project
from rag_assets.store.locks import held_locks
from rag_assets_tests.integration.crash.corpus import Corpus

UNIT_NORM_TOLERANCE = 1e-3
UNFINISHED = [status for status in dg.DagsterRunStatus if status.value not in ("SUCCESS", "FAILURE", "CANCELED")]


def assert_whole(corpus: Corpus, *, pinned_alone: int) -> None:
    """Documents, chunks, vectors and rows are what the files ask for; for tags see `assert_ledger_agrees`."""
    with Project.open(corpus.config_file) as project:
        chunks = [row for source, texts in corpus.texts.items() for row in _chunks(project, source, texts)]
        vectors = _vectors(project)
        _assert_indexed(project, chunks, vectors)
        assert_ledger_agrees(project, pinned_alone=pinned_alone)
        denied = project.ledger.denied()
        assert not denied.sources
        assert denied.documents.isdisjoint(row["document_id"] for row in chunks)
        assert project.ledger.failures() == []
        _assert_nothing_left(project)


def _chunks(project: Project, source: str, texts: dict[str, str]) -> list[dict[str, Any]]:
    """The chunks of `source`, which are those of its documents, which are its files."""
    documents = project.store.raw_documents(source).rows().to_pylist()
    assert sorted(row["uri"] for row in documents) == sorted(texts)
    for row in documents:
        assert row["content_hash"] == sha256_hex(texts[row["uri"]].encode()), row["uri"]
    present = {row["document_id"]: row for row in documents if row["text"]}
    chunks: list[dict[str, Any]] = project.store.chunks(source).rows().to_pylist()
    assert {row["document_id"] for row in chunks} == present.keys()
    _assert_documents_whole(chunks)
    for row in chunks:
        document = present[row["document_id"]]
        assert row["document_hash"] == document["row_hash"]
        assert document["text"][row["start_offset"] : row["end_offset"]] == row["text"]
        assert row["generation"] == project.generation.chunking_id
    return chunks


def _assert_documents_whole(rows: list[dict[str, Any]]) -> None:
    assert Counter(row["chunk_id"] for row in rows).most_common(1)[0][1] == 1
    by_document: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_document.setdefault(row["document_id"], []).append(row)
    for group in by_document.values():
        assert sorted(row["ordinal"] for row in group) == list(range(group[0]["document_chunks"]))


def _vectors(project: Project) -> dict[str, np.ndarray[Any, Any]]:
    space = project.generation.space
    rows = project.store.embeddings(space.name, space.dimension).rows(["input_hash", "vector"])
    keys = rows["input_hash"].to_pylist()
    assert len(set(keys)) == len(keys), "an input has two vectors"
    vectors = np.array(rows["vector"].to_pylist(), np.float32)
    assert vectors.shape == (len(keys), space.dimension)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < UNIT_NORM_TOLERANCE  # NaN and zero fail here too
    return dict(zip(keys, vectors, strict=True))


def _assert_indexed(project: Project, chunks: list[dict[str, Any]], vectors: dict[str, np.ndarray[Any, Any]]) -> None:
    rows = project.index.rows().to_pylist()
    _assert_documents_whole(rows)
    kept = ("document_id", "source", "uri", "ordinal", "text", "input_hash", "document_hash", "row_hash")
    wanted = {row["chunk_id"]: tuple(row[name] for name in kept) for row in chunks}
    assert {row["chunk_id"]: tuple(row[name] for name in kept) for row in rows} == wanted
    for row in rows:
        assert np.array_equal(np.array(row["vector"], np.float32), vectors[row["input_hash"]]), row["chunk_id"]


def assert_ledger_agrees(project: Project, *, pinned_alone: int) -> None:
    """What serves can be read as it was pinned; every snapshot has its tag, and every tag its snapshot.

    A run that dies between the two leaves a tag without a snapshot, until maintenance comes; `pinned_alone` says how
    many there may be.
    """
    ledger, store = project.ledger, project.store
    snapshots = {one.tag: one for one in ledger.snapshots() if one.unpinned_at is None}
    tables = {one.table: (one.generation, int(one.details["dimension"])) for one in ledger.snapshots()}
    tables[project.index.name] = (project.generation.id, project.generation.space.dimension)
    pinned = {
        tag: (name, version)
        for name, (generation, dimension) in tables.items()
        for tag, version in store.vector_index(generation, dimension).pinned().items()
    }
    assert {tag: (one.table, one.version) for tag, one in snapshots.items()}.items() <= pinned.items()
    assert len(pinned) - len(snapshots) <= pinned_alone, set(pinned) - set(snapshots)
    release = ledger.serving()
    if release is not None:
        serving = ledger.snapshot(release.snapshot_id)
        assert serving is not None and serving.tag in snapshots
        assert store.open_at(serving.table, serving.version).count_rows() == serving.details["rows"]


def _assert_nothing_left(project: Project) -> None:
    """No lock, owner's note, vector on its way, claim, or run that has not ended."""
    locks = project.settings.data_path / "locks"
    assert held_locks(locks) == []
    assert list(locks.rglob("*.pid")) == []
    assert [path for path in project.spool_dir.rglob("*") if path.is_file()] == []
    with project.ledger.reading() as connection:
        assert connection.execute(select(embedding_claims)).first() is None
    with dg.DagsterInstance.from_config(str(dagster_home(project.settings))) as instance:
        assert instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)) == []


def lance_versions(config_file: Path) -> dict[str, int]:
    """The newest version of every table, by Lance's own numbers."""
    import lancedb

    with Project.open(config_file) as project:
        database = lancedb.connect(project.settings.store_uri)
        return {name: int(database.open_table(name).version) for name in project.store.table_names()}
