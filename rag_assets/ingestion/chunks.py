"""Stage 2: the chunks of a source. Only documents whose content or whose chunking changed are cut again.

One that could not be cut is not tried again either, as long as neither changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from rag_assets import schemas
from rag_assets.chunking import Tokenizer
from rag_assets.chunking.rows import DOCUMENT_COLUMNS, Cutting, Uncut, cut_documents
from rag_assets.fingerprints import data_version_of_columns
from rag_assets.ingestion.chunk_state import Comparison, StoredChunks, compare, difference
from rag_assets.ingestion.failed_cuts import FailedCuts
from rag_assets.ingestion.generation import Generation
from rag_assets.ingestion.results import ChunksResult, Progress, no_progress
from rag_assets.ledger import Ledger
from rag_assets.store import Table
from rag_assets.workers import Died, Task, work

PARCEL_DOCUMENTS = 64
PARCEL_CHARACTERS = 1_000_000
BATCH_ROWS = 2_048


@dataclass(slots=True)
class _Tally:
    added: int = 0
    removed: int = 0
    failed: int = 0
    commits: int = 0


def sync_chunks(
    name: str,
    *,
    raw_documents: Table,
    chunks: Table,
    generation: Generation,
    tokenizer: Tokenizer,
    max_input_tokens: int,
    ledger: Ledger,
    progress: Progress = no_progress,
) -> ChunksResult:
    """Brings the chunks of source `name` in step with its raw documents and with `generation`."""
    cutting = cutting_of(generation, tokenizer, max_input_tokens)
    with chunks.lock():
        compared = compare(raw_documents, chunks, generation.chunking_id)
        failures = FailedCuts(name, ledger, compared, cutting)
        due = failures.due(compared)
        due_ids = compared.documents["document_id"].take(pa.array(due)).combine_chunks()
        lengths = compared.documents["characters"].to_numpy()[due]
        tally = _Tally()
        stored = StoredChunks(chunks, due_ids, compared.seen[due])
        writer = _Writer(chunks, stored, failures, tally, len(due), progress)
        parcels = _parcels(raw_documents, due_ids, lengths)
        for parcel, answer in work(parcels, Task(cut_documents, (cutting,)), documents=len(due)):
            writer.take(parcel, *(parcel.lost(answer) if isinstance(answer, Died) else answer))
        writer.write()
        tally.removed += len(compared.orphans)
        tally.commits += chunks.apply(None, compared.orphans).commits
        tally.failed = failures.settle()
        return _result(name, chunks, generation, tally, compared, due)


def cutting_of(generation: Generation, tokenizer: Tokenizer, max_input_tokens: int) -> Cutting:
    """How documents are cut for `generation`."""
    return Cutting(
        settings=generation.chunking,
        tokenizer=tokenizer,
        max_input_tokens=max_input_tokens,
        chunking_id=generation.chunking_id,
        document_prefix=generation.space.document_prefix,
    )


@dataclass(frozen=True, slots=True)
class _Parcel:
    """Rows of a few documents, in any order; `positions` are those of these rows among the due. A `workers.Job`."""

    rows: pa.Table
    positions: list[int]

    @property
    def documents(self) -> int:
        return len(self.positions)

    @property
    def payload(self) -> pa.Table:
        return self.rows

    def parts(self) -> list[_Parcel]:
        """A parcel for each document."""
        return [_Parcel(self.rows.slice(at, 1).combine_chunks(), [one]) for at, one in enumerate(self.positions)]

    def lost(self, died: Died) -> tuple[pa.RecordBatch, list[Uncut]]:
        """The answer for a document that ended the process which cut it."""
        found = zip(*(self.rows[name].to_pylist() for name in ("document_id", "uri", "row_hash")), strict=True)
        said = "{} ended the process that cut it ({})."
        uncut = [Uncut(key, uri, row_hash, said.format(uri, died.how)) for key, uri, row_hash in found]
        return pa.RecordBatch.from_pylist([], schema=schemas.CHUNKS), uncut


def _parcels(raw_documents: Table, due_ids: pa.Array, lengths: np.ndarray) -> Iterator[_Parcel]:
    for first, last in _ranges(lengths):
        keys = due_ids.slice(first, last - first).to_pylist()
        places = {key: first + at for at, key in enumerate(keys)}
        rows = raw_documents.lookup(keys, columns=DOCUMENT_COLUMNS).select(DOCUMENT_COLUMNS)
        yield _Parcel(rows, [places[key] for key in rows["document_id"].to_pylist()])


def _ranges(lengths: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of documents: each of a bounded number, and of a bounded number of characters save for a longer one."""
    first = characters = 0
    for position, length in enumerate(lengths.tolist()):
        full = position - first >= PARCEL_DOCUMENTS or characters + length > PARCEL_CHARACTERS
        if full and position > first:
            yield first, position
            first, characters = position, 0
        characters += length
    if first < len(lengths):
        yield first, len(lengths)


@dataclass(slots=True)
class _Writer:
    """Gathers differences into writes of a bounded size, and records what failed."""

    chunks: Table
    stored: StoredChunks
    failures: FailedCuts
    tally: _Tally
    due: int
    progress: Progress
    upserts: list[pa.Table] = field(default_factory=list)
    deletes: list[str] = field(default_factory=list)
    done: int = 0

    def take(self, parcel: _Parcel, cut: pa.RecordBatch, uncut: list[Uncut]) -> None:
        """Takes over the chunks of some documents, and writes when enough has come together."""
        for one in uncut:
            self.failures.fail(one)
        found = difference(cut, self.stored.of(parcel.positions), failed=[one.document_id for one in uncut])
        self.tally.added += found.added
        self.tally.removed += len(found.deletes)
        self.upserts.append(found.upserts)
        self.deletes += found.deletes
        self.done += parcel.documents
        if sum(table.num_rows for table in self.upserts) + len(self.deletes) >= BATCH_ROWS:
            self.write()

    def write(self) -> None:
        """Writes what has come together."""
        if self.upserts:
            self.tally.commits += self.chunks.apply(pa.concat_tables(self.upserts), self.deletes).commits
            self.upserts, self.deletes = [], []
            self.progress("documents", self.done, self.due)
        self.failures.flush()


def chunks_version(name: str, chunks: Table, generation: Generation) -> str:
    """The data version of the chunks of source `name` as they are stored now."""
    pairs = ((batch["chunk_id"], batch["row_hash"]) for batch in chunks.batches(columns=["chunk_id", "row_hash"]))
    return data_version_of_columns(pairs, f"{name}/{generation.chunking_id}")


def _result(
    name: str, chunks: Table, generation: Generation, tally: _Tally, compared: Comparison, due: np.ndarray
) -> ChunksResult:
    counts = [batch["token_count"].to_numpy() for batch in chunks.batches(columns=["token_count"])]
    tokens = np.concatenate(counts) if counts else np.empty(0, np.int32)
    at = int(0.95 * (len(tokens) - 1))
    return ChunksResult(
        data_version=chunks_version(name, chunks, generation),
        rows=len(tokens),
        added=tally.added,
        removed=tally.removed,
        unchanged=len(tokens) - tally.added,
        failed_documents=tally.failed,
        tokens=int(tokens.sum(dtype=np.int64)),
        longest_tokens=int(tokens.max()) if len(tokens) else 0,
        p95_tokens=int(np.partition(tokens, at)[at]) if len(tokens) else 0,
        documents_rechunked=len(due),
        documents_new=int(np.count_nonzero(~compared.seen[due])),
        documents_changed=int(np.count_nonzero(compared.changed[due])),
        documents_removed=len(compared.orphaned_documents),
        documents_outdated=int(np.count_nonzero(compared.outdated[due])),
        generation_changed=bool(compared.generations - {generation.chunking_id}),
        commits=tally.commits,
        table_version=chunks.version(),
    )
