"""Stage 4: the rows of one source in the index of a generation: each chunk with its vector.

A document of which a chunk has no vector keeps the rows it has. Rows whose vector is already in the index are written
with that chunk's vector from the embeddings table all the same: the table is the only place vectors come from.

What is compared are columns of ids and hashes; texts and vectors are read for the rows that are written, a group at a
time, so that memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from rag_assets import schemas
from rag_assets.failpoints import failpoint
from rag_assets.fingerprints import data_version_of_columns
from rag_assets.ingestion.results import IndexResult, Progress, no_progress
from rag_assets.store import IndexTable, Table, sql_literal
from rag_assets.store.keys import among, distinct, only, pairs, repeated, without

BATCH_ROWS = 2_048
"""Rows read with texts and vectors at once: about 10 MB."""
MERGED_ROWS = 8_192
"""The most rows of one merge, which holds them in memory; more new rows than that are appended as they are read."""
STATE_COLUMNS = ["chunk_id", "document_id", "row_hash"]
COMPLETENESS_COLUMNS = [*STATE_COLUMNS, "document_hash", "ordinal", "document_chunks"]


@dataclass(frozen=True, slots=True)
class _Difference:
    """`added` and `changed`: `chunk_id` and `input_hash` of rows to write; `stored`: key and state of `changed` now."""

    doubled: pa.Array
    added: pa.Table
    changed: pa.Table
    stored: pa.Table
    deletes: pa.Array
    held_back: int

    @property
    def written(self) -> int:
        return int(self.added.num_rows + self.changed.num_rows)


def sync_vector_index(
    name: str,
    *,
    chunks: Table,
    embeddings: Table,
    index: IndexTable,
    progress: Progress = no_progress,
) -> IndexResult:
    """Brings the index rows of source `name` in step with its chunks, document by document, if it has its vectors.

    The rows are searched once a snapshot was taken, which brings them into the indices.
    """
    with index.lock():
        difference = _compare(name, chunks, embeddings, index)
        # Rows that another writer doubled behind the lock go first: the merge would change both. A release reads its
        # pinned version, and the next run adds them if this one ends here.
        commits = index.apply(None, difference.doubled.to_pylist()).commits
        commits += _write(difference, chunks, embeddings, index, progress)
        rows = source_rows(name, index, columns=STATE_COLUMNS)
    return IndexResult(
        data_version=data_version_of_columns(_columns(rows, "chunk_id", "row_hash"), index.name),
        rows=rows.num_rows,
        documents=len(distinct(rows["document_id"])),
        added=difference.added.num_rows,
        removed=len(difference.deletes),
        rewritten=difference.changed.num_rows,
        held_back_documents=difference.held_back,
        commits=commits,
        table_version=index.version(),
    )


def source_rows(
    name: str, index: IndexTable, *, columns: list[str] = COMPLETENESS_COLUMNS, version: int | None = None
) -> pa.Table:
    """The rows of one source."""
    return index.rows(columns=columns, where=f"source = {sql_literal(name)}", version=version)


def _columns(rows: pa.Table, *names: str) -> Iterator[tuple[pa.Array, ...]]:
    for batch in rows.select(names).to_batches():
        yield tuple(batch.columns)


def _compare(name: str, chunks: Table, embeddings: Table, index: IndexTable) -> _Difference:
    wanted = chunks.rows(columns=[*STATE_COLUMNS, "input_hash"])
    stored = source_rows(name, index, columns=STATE_COLUMNS)
    twice = repeated(stored["chunk_id"])
    have = without(stored, "chunk_id", twice)
    due = wanted.filter(pa.compute.invert(among(_states(wanted), _states(have)))).select(
        ["chunk_id", "document_id", "input_hash"]
    )
    held_back = _without_vectors(due, embeddings)
    due = without(due, "document_id", held_back)
    gone = without(without(have, "chunk_id", wanted["chunk_id"]), "document_id", held_back)
    changed = only(due, "chunk_id", have["chunk_id"])
    doubled = without(only(stored, "chunk_id", twice), "document_id", held_back)
    return _Difference(
        doubled=distinct(doubled["chunk_id"]),
        added=without(due, "chunk_id", have["chunk_id"]),
        changed=changed,
        stored=only(have, "chunk_id", changed["chunk_id"]).select(["chunk_id", "row_hash"]),
        deletes=distinct(gone["chunk_id"]),
        held_back=len(held_back),
    )


def _states(rows: pa.Table) -> pa.Array:
    return pairs(rows["chunk_id"], rows["row_hash"])


def _without_vectors(due: pa.Table, embeddings: Table) -> pa.Array:
    """The documents of `due` that have an input without a vector."""
    known = embeddings.locate(due["input_hash"]) if due.num_rows else None
    waiting = due.filter(known.places.is_null()) if known is not None else due
    return distinct(waiting["document_id"])


def _write(difference: _Difference, chunks: Table, embeddings: Table, index: IndexTable, progress: Progress) -> int:
    """Writes new and changed rows, then removes those that are gone; returns how many versions that made."""
    if not difference.written:
        return index.replace(index.schema.empty_table(), difference.stored, difference.deletes).commits
    rows = _Rows(difference, chunks, embeddings, index.schema, progress)
    if difference.written <= MERGED_ROWS:
        return index.replace(pa.concat_tables(rows.read(rows.due)), difference.stored, difference.deletes).commits
    new = among(rows.due["chunk_id"], difference.added["chunk_id"])
    added, changed = rows.due.filter(new), rows.due.filter(pa.compute.invert(new))
    commits = index.append(batch for group in rows.read(added) for batch in group.to_batches()).commits
    nothing = pa.array([], pa.string())
    for start in range(0, changed.num_rows, MERGED_ROWS):
        group = changed.slice(start, MERGED_ROWS)
        stored = only(difference.stored, "chunk_id", group["chunk_id"])
        commits += index.replace(pa.concat_tables(rows.read(group)), stored, nothing).commits
    if len(difference.deletes):
        failpoint("store.between_upsert_and_delete")
    return commits + index.replace(index.schema.empty_table(), difference.stored, difference.deletes).commits


class _Rows:
    """The rows to write, read from chunks and embeddings. `due`: `chunk_id` and both places, in the chunks' order."""

    def __init__(
        self, difference: _Difference, chunks: Table, embeddings: Table, schema: pa.Schema, progress: Progress
    ) -> None:
        due = pa.concat_tables([difference.added, difference.changed])
        found, vectors = chunks.locate(due["chunk_id"]), embeddings.locate(due["input_hash"])
        assert found is not None, "the chunks were read just now"
        assert vectors is not None, "documents without vectors are held back"
        self._found, self._vectors, self._schema = found, vectors, schema
        self._progress, self._done, self._total = progress, 0, difference.written
        placed = due.select(["chunk_id"]).append_column("chunk", found.places).append_column("vector", vectors.places)
        self.due = placed.drop_null().sort_by("chunk")

    def read(self, due: pa.Table) -> Iterator[pa.Table]:
        """Rows of the index for consecutive rows of `self.due`, a bounded number at a time."""
        columns = [*schemas.INDEX_COLUMNS, "input_text"]
        for start in range(0, due.num_rows, BATCH_ROWS):
            group = due.slice(start, BATCH_ROWS)
            rows = self._found.read(group["chunk"].combine_chunks(), columns)
            vectors = self._vectors.read(group["vector"].combine_chunks(), ["vector"])
            rows = rows.rename_columns([*schemas.INDEX_COLUMNS, "body"]).append_column("vector", vectors["vector"])
            self._done += group.num_rows
            self._progress("rows", self._done, self._total)
            yield rows.select(self._schema.names).cast(self._schema)


def partial_documents(rows: pa.Table) -> dict[str, str]:
    """Documents of which not exactly one version, whole and once, is there: `document_id` → what is wrong.

    `rows` have `document_id`, `document_hash`, `ordinal` and `document_chunks`.
    """
    versions = rows.group_by(["document_id", "document_hash"], use_threads=False).aggregate(
        [("ordinal", "count"), ("ordinal", "count_distinct"), ("ordinal", "min"), ("ordinal", "max"),
         ("document_chunks", "min")]
    )  # fmt: skip
    mixed = repeated(versions["document_id"])
    wrong = {
        row["values"]: f"rows of {row['counts']} versions"
        for row in pa.compute.value_counts(only(versions, "document_id", mixed)["document_id"]).to_pylist()
    }
    count, chunks = versions["ordinal_count"], versions["document_chunks_min"]
    whole = pa.compute.equal(count, chunks)
    for sound in (
        pa.compute.equal(count, versions["ordinal_count_distinct"]),
        pa.compute.equal(versions["ordinal_min"], 0),
        pa.compute.equal(versions["ordinal_max"], pa.compute.subtract(chunks, 1)),
    ):
        whole = pa.compute.and_(whole, sound)
    for row in without(versions.filter(pa.compute.invert(whole)), "document_id", mixed).to_pylist():
        wrong[row["document_id"]] = f"{row['ordinal_count']} of {row['document_chunks_min']} chunks"
    return wrong
