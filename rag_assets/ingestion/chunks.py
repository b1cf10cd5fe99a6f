"""Stage 2: the chunks of a source. Only documents whose content or whose chunking changed are cut again.

One that could not be cut is not tried again either, as long as neither changes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from rag_assets import schemas
from rag_assets.chunking import Chunk, chunk_document
from rag_assets.chunking.tokenizer import Tokenizer
from rag_assets.documents.model import Block, Document
from rag_assets.errors import ChunkError
from rag_assets.fingerprints import chunk_id, data_version, fingerprint, sha256_hex
from rag_assets.ingestion.difference import is_chunking_due
from rag_assets.ingestion.generation import Generation
from rag_assets.ingestion.quarantine import CHUNK, Quarantine, chunking_gate
from rag_assets.ingestion.results import ChunksResult, Progress, no_progress
from rag_assets.ledger import Failure, Ledger
from rag_assets.store import Table

BATCH_DOCUMENTS = 256
STATE_COLUMNS = ["chunk_id", "document_id", "document_hash", "generation", "row_hash", "token_count"]


@dataclass(slots=True)
class _Tally:
    added: int = 0
    removed: int = 0
    kept: int = 0
    failed: int = 0
    commits: int = 0


@dataclass(frozen=True, slots=True)
class _Cutter:
    """Cuts documents for one generation; `quarantine` holds those that could not be cut."""

    generation: Generation
    tokenizer: Tokenizer
    max_input_tokens: int
    quarantine: Quarantine

    def gate(self, row_hash: str) -> str:
        return chunking_gate(row_hash, self.generation.chunking_id, self.max_input_tokens)

    def is_due(self, key: str, row_hash: str, rows: Sequence[dict[str, Any]]) -> bool:
        """Whether to cut the document: its `rows` are not of this version and generation, or it failed and is tried
        again. One without chunks is looked at again: it is new or empty."""
        differs = is_chunking_due(rows, row_hash, self.generation.chunking_id)
        return self.quarantine.is_due(key, self.gate(row_hash), otherwise=differs)

    def is_over(self, failure: Failure, row_hash: str | None, tried: set[str]) -> bool:
        """Whether a failure of this stage ends: its document was cut, or is again what was cut before."""
        if failure.stage != CHUNK or failure.dropped or row_hash is None:
            return False
        return failure.document_id in tried or failure.gate != self.gate(row_hash)

    def cut(self, document: dict[str, Any]) -> list[dict[str, Any]] | None:
        """The chunk rows of a row of `raw_documents`; None, and recorded, when it cannot be cut."""
        try:
            cut = chunk_document(
                document_from_row(document),
                self.generation.chunking,
                self.tokenizer,
                max_input_tokens=self.max_input_tokens,
            )
        except ChunkError as error:
            key = document["document_id"]
            self.quarantine.fail(document["uri"], key, CHUNK, error, self.gate(document["row_hash"]))
            return None
        return chunk_rows(document, cut, self.generation)


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
    with chunks.lock():
        documents = _versions(raw_documents)
        stored = _stored_by_document(chunks)
        previous_generations = {row["generation"] for rows in stored.values() for row in rows}
        cutter = _Cutter(generation, tokenizer, max_input_tokens, Quarantine(name, ledger, [CHUNK]))
        due = [key for key, row_hash in documents.items() if cutter.is_due(key, row_hash, stored.get(key, ()))]
        tally = _Tally()
        done = 0
        for batch in _batches(due):
            texts = raw_documents.lookup(batch, columns=schemas.RAW_DOCUMENTS.names)
            upserts, deletes = _difference(texts.to_pylist(), stored, cutter, tally)
            tally.commits += chunks.apply(pa.Table.from_pylist(upserts, schema=schemas.CHUNKS), deletes).commits
            cutter.quarantine.flush()
            done += len(batch)
            progress("documents", done, len(due))
        gone = [row["chunk_id"] for key, rows in stored.items() if key not in documents for row in rows]
        tally.removed += len(gone)
        tally.commits += chunks.apply(None, gone).commits
        tried = set(due)
        tally.failed = cutter.quarantine.settle(
            lambda failure: cutter.is_over(failure, documents.get(failure.document_id), tried)
        )
        return _result(
            name,
            chunks,
            generation,
            tally,
            rechunked=len(due),
            generation_changed=bool(previous_generations - {generation.chunking_id}),
        )


def _versions(raw_documents: Table) -> dict[str, str]:
    if not raw_documents.exists():
        return {}
    rows = raw_documents.rows(columns=["document_id", "row_hash"])
    return dict(zip(rows["document_id"].to_pylist(), rows["row_hash"].to_pylist(), strict=True))


def _stored_by_document(chunks: Table) -> dict[str, list[dict[str, Any]]]:
    by_document: dict[str, list[dict[str, Any]]] = defaultdict(list)
    if chunks.exists():
        for row in chunks.rows(columns=STATE_COLUMNS).to_pylist():
            by_document[row["document_id"]].append(row)
    return by_document


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), BATCH_DOCUMENTS):
        yield keys[start : start + BATCH_DOCUMENTS]


def _difference(
    documents: Sequence[dict[str, Any]], stored: dict[str, list[dict[str, Any]]], cutter: _Cutter, tally: _Tally
) -> tuple[list[dict[str, Any]], list[str]]:
    upserts: list[dict[str, Any]] = []
    deletes: list[str] = []
    for row in documents:
        wanted = cutter.cut(row)
        if wanted is None:
            continue
        have = {old["chunk_id"]: old["row_hash"] for old in stored.get(row["document_id"], ())}
        upserts += [new for new in wanted if have.get(new["chunk_id"]) != new["row_hash"]]
        ids = {new["chunk_id"] for new in wanted}
        gone = [key for key in have if key not in ids]
        deletes += gone
        tally.added += len(ids - have.keys())
        tally.removed += len(gone)
    return upserts, deletes


def document_from_row(row: dict[str, Any]) -> Document:
    """The parsed document that a row of `raw_documents` holds."""
    blocks = tuple(
        Block(
            kind=block["kind"],
            start=block["start"],
            end=block["end"],
            level=block["level"],
            page=block["page"],
            heading_path=tuple(block["heading_path"]),
        )
        for block in row["blocks"]
    )
    return Document(
        text=row["text"],
        blocks=blocks,
        title=row["title"],
        media_type=row["media_type"],
        parser=row["parser"],
        language=row["language"],
        published_at=row["published_at"],
        metadata={},
    )


def chunk_rows(document: dict[str, Any], chunks: Sequence[Chunk], generation: Generation) -> list[dict[str, Any]]:
    """Rows of the chunks table for one document. Equal chunks of a document get distinct, stable ids."""
    seen: Counter[str] = Counter()
    rows = []
    prefix = generation.space.document_prefix
    for chunk in chunks:
        text_hash = sha256_hex(chunk.text)
        row: dict[str, Any] = {
            "chunk_id": chunk_id(document["document_id"], text_hash, seen[text_hash]),
            "document_id": document["document_id"],
            "source": document["source"],
            "uri": document["uri"],
            "title": document["title"],
            "language": document["language"],
            "generation": generation.chunking_id,
            "ordinal": chunk.ordinal,
            "document_chunks": len(chunks),
            "text": chunk.text,
            "text_hash": text_hash,
            "input_text": chunk.input_text,
            "input_hash": sha256_hex(prefix + chunk.input_text),
            "token_count": chunk.token_count,
            "heading_path": list(chunk.heading_path),
            "start_offset": chunk.start,
            "end_offset": chunk.end,
            "page": chunk.page,
            "allowed_groups": document["allowed_groups"],
            "document_hash": document["row_hash"],
        }
        seen[text_hash] += 1
        row["row_hash"] = fingerprint(**{key: value for key, value in row.items() if key not in ("text", "input_text")})
        rows.append(row)
    return rows


def chunks_version(name: str, chunks: Table, generation: Generation) -> str:
    """The data version of the chunks of source `name` as they are stored now."""
    columns = ["chunk_id", "row_hash"]
    rows = (chunks.rows(columns=columns) if chunks.exists() else schemas.CHUNKS.empty_table()).select(columns)
    pairs = zip(rows["chunk_id"].to_pylist(), rows["row_hash"].to_pylist(), strict=True)
    return data_version(pairs, f"{name}/{generation.chunking_id}")


def _result(
    name: str, chunks: Table, generation: Generation, tally: _Tally, *, rechunked: int, generation_changed: bool
) -> ChunksResult:
    columns = ["token_count"]
    rows = (chunks.rows(columns=columns) if chunks.exists() else schemas.CHUNKS.empty_table()).select(columns)
    tokens = sorted(rows["token_count"].to_pylist())
    return ChunksResult(
        data_version=chunks_version(name, chunks, generation),
        rows=rows.num_rows,
        added=tally.added,
        removed=tally.removed,
        unchanged=rows.num_rows - tally.added,
        failed_documents=tally.failed,
        tokens=sum(tokens),
        longest_tokens=tokens[-1] if tokens else 0,
        p95_tokens=tokens[int(0.95 * (len(tokens) - 1))] if tokens else 0,
        documents_rechunked=rechunked,
        generation_changed=generation_changed,
        commits=tally.commits,
        table_version=chunks.version(),
    )
