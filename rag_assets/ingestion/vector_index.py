"""Stage 4: the rows of one source in the index of a generation: each chunk with its vector.

A document of which a chunk has no vector keeps the rows it has. Rows whose vector is already in the index are written
with that chunk's vector from the embeddings table all the same: the table is the only place vectors come from.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from rag_assets import schemas
from rag_assets.failpoints import failpoint
from rag_assets.fingerprints import data_version
from rag_assets.ingestion.results import IndexResult, Progress, no_progress
from rag_assets.store import IndexTable, Table, sql_literal

BATCH_ROWS = 4_096
STATE_COLUMNS = ["chunk_id", "document_id", "row_hash"]
COMPLETENESS_COLUMNS = [*STATE_COLUMNS, "document_hash", "ordinal", "document_chunks"]


@dataclass(frozen=True, slots=True)
class _Difference:
    doubled: list[str]
    upserts: list[str]
    deletes: list[str]
    added: int
    held_back: int


def sync_vector_index(
    name: str,
    *,
    chunks: Table,
    embeddings: Table,
    index: IndexTable,
    progress: Progress = no_progress,
) -> IndexResult:
    """Brings the index rows of source `name` in step with its chunks, document by document, if it has its vectors."""
    with index.lock():
        difference = _compare(name, chunks, embeddings, index)
        # Rows that another writer doubled behind the lock go first: the merge would change both. A release reads its
        # pinned version, and the next run adds them if this one ends here.
        commits = index.apply(None, difference.doubled).commits
        written = 0
        for batch in _indexed_rows(difference.upserts, chunks, embeddings, index.schema):
            commits += index.apply(batch, []).commits
            written += batch.num_rows
            progress("rows", written, len(difference.upserts))
        if difference.upserts and difference.deletes:
            failpoint("store.between_upsert_and_delete")
        commits += index.apply(None, difference.deletes).commits
        if commits:
            index.ensure_indices()
        rows = source_rows(name, index)
    return IndexResult(
        data_version=data_version(((row["chunk_id"], row["row_hash"]) for row in rows), index.name),
        rows=len(rows),
        documents=len({row["document_id"] for row in rows}),
        added=difference.added,
        removed=len(difference.deletes),
        rewritten=len(difference.upserts) - difference.added,
        held_back_documents=difference.held_back,
        commits=commits,
        table_version=index.version(),
    )


def source_rows(name: str, index: IndexTable, *, version: int | None = None) -> list[dict[str, Any]]:
    """The rows of one source, with `COMPLETENESS_COLUMNS`."""
    if not index.exists():
        return []
    where = f"source = {sql_literal(name)}"
    rows: list[dict[str, Any]] = index.rows(columns=COMPLETENESS_COLUMNS, where=where, version=version).to_pylist()
    return rows


def _compare(name: str, chunks: Table, embeddings: Table, index: IndexTable) -> _Difference:
    columns = [*STATE_COLUMNS, "input_hash"]
    wanted = chunks.rows(columns=columns).to_pylist() if chunks.exists() else []
    stored = source_rows(name, index)
    times = Counter(row["chunk_id"] for row in stored)
    have = {row["chunk_id"]: row for row in stored if times[row["chunk_id"]] == 1}
    changed = [
        row for row in wanted if row["chunk_id"] not in have or have[row["chunk_id"]]["row_hash"] != row["row_hash"]
    ]
    inputs = sorted({row["input_hash"] for row in changed})
    known: set[str] = set()
    if inputs and embeddings.exists():
        known = set(embeddings.lookup(inputs, columns=["input_hash"])["input_hash"].to_pylist())
    held_back = {row["document_id"] for row in changed if row["input_hash"] not in known}
    upserts = [row["chunk_id"] for row in changed if row["document_id"] not in held_back]
    ids = {row["chunk_id"] for row in wanted}
    deletes = [key for key, row in have.items() if key not in ids and row["document_id"] not in held_back]
    added = sum(1 for key in upserts if key not in have)
    doubled = sorted(
        {row["chunk_id"] for row in stored if times[row["chunk_id"]] > 1 and row["document_id"] not in held_back}
    )
    return _Difference(doubled=doubled, upserts=upserts, deletes=deletes, added=added, held_back=len(held_back))


def _indexed_rows(keys: list[str], chunks: Table, embeddings: Table, schema: pa.Schema) -> Iterator[pa.Table]:
    for start in range(0, len(keys), BATCH_ROWS):
        rows = chunks.lookup(keys[start : start + BATCH_ROWS], columns=[*schemas.INDEX_COLUMNS, "input_text"])
        hashes = rows["input_hash"].to_pylist()
        found = embeddings.lookup(sorted(set(hashes)), columns=["input_hash", "vector"])
        position = {key: at for at, key in enumerate(found["input_hash"].to_pylist())}
        vectors = found["vector"].combine_chunks().take(pa.array([position[key] for key in hashes], pa.int64()))
        rows = rows.rename_columns([*schemas.INDEX_COLUMNS, "body"]).append_column("vector", vectors)
        yield rows.select(schema.names).cast(schema)


def partial_documents(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Documents of which not exactly one version, whole and once, is there: `document_id` → what is wrong.

    `rows` carry `document_id`, `document_hash`, `ordinal` and `document_chunks`.
    """
    by_document: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_document[row["document_id"]].append(row)
    wrong = {}
    for key, group in by_document.items():
        versions = {row["document_hash"] for row in group}
        if len(versions) > 1:
            wrong[key] = f"rows of {len(versions)} versions"
        elif sorted(row["ordinal"] for row in group) != list(range(group[0]["document_chunks"])):
            wrong[key] = f"{len(group)} of {group[0]['document_chunks']} chunks"
    return wrong
