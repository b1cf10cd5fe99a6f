"""From rows of `raw_documents` to rows of `chunks`: pure, and light enough to be imported by a worker process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any

import pyarrow as pa

from rag_assets import schemas
from rag_assets.chunking.chunker import chunk_document
from rag_assets.chunking.model import Chunk
from rag_assets.chunking.tokenizer import Tokenizer
from rag_assets.config import ChunkingSettings
from rag_assets.documents.model import Block, Document
from rag_assets.documents.rows import string_lists
from rag_assets.errors import ChunkError
from rag_assets.fingerprints import ID_LENGTH, chunk_id, sha256_hex

DOCUMENT_COLUMNS = [
    "document_id",
    "source",
    "uri",
    "title",
    "language",
    "text",
    "blocks",
    "media_type",
    "parser",
    "allowed_groups",
    "row_hash",
]
"""What cutting reads of a row of `raw_documents`."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cutting:
    """How documents are cut. `chunking_id` and `document_prefix` are the generation's."""

    settings: ChunkingSettings
    tokenizer: Tokenizer
    max_input_tokens: int
    chunking_id: str
    document_prefix: str


@dataclass(frozen=True, slots=True)
class Uncut:
    """A version of a document (`row_hash`) that could not be cut, and why."""

    document_id: str
    uri: str
    row_hash: str
    error: str


def cut_documents(documents: pa.Table, cutting: Cutting) -> tuple[pa.RecordBatch, list[Uncut]]:
    """The rows of the chunks of these documents, in order, and the documents that could not be cut."""
    columns: dict[str, list[Any]] = {name: [] for name in schemas.CHUNKS.names}
    uncut: list[Uncut] = []
    for row, document in documents_of(documents):
        try:
            chunks = chunk_document(
                document, cutting.settings, cutting.tokenizer, max_input_tokens=cutting.max_input_tokens
            )
        except ChunkError as error:
            uncut.append(Uncut(row["document_id"], row["uri"], row["row_hash"], str(error)))
            continue
        _add(columns, row, chunks, cutting)
    arrays = [
        string_lists(columns[field.name])
        if field.type == pa.list_(pa.string())
        else pa.array(columns[field.name], field.type)
        for field in schemas.CHUNKS
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schemas.CHUNKS), uncut


def cut_row(row: Mapping[str, Any], cutting: Cutting) -> list[Row] | None:
    """The same for one row as a dictionary; None when it cannot be cut."""
    fields = pa.schema([schemas.RAW_DOCUMENTS.field(name) for name in DOCUMENT_COLUMNS])
    rows, uncut = cut_documents(pa.Table.from_pylist([{name: row[name] for name in DOCUMENT_COLUMNS}], fields), cutting)
    return None if uncut else list(rows.to_pylist())


def documents_of(rows: pa.Table) -> Iterator[tuple[Row, Document]]:
    """The documents that rows of `raw_documents` hold, each with its row less text and blocks."""
    for batch in rows.select(DOCUMENT_COLUMNS).to_batches():
        plain = batch.drop_columns(["text", "blocks"]).to_pylist()
        for row, text, blocks in zip(plain, batch["text"], _blocks(batch["blocks"]), strict=True):
            yield (
                row,
                Document(
                    text=text.as_py(),
                    blocks=blocks,
                    title=row["title"],
                    media_type=row["media_type"],
                    parser=row["parser"],
                    language=row["language"],
                ),
            )


def _blocks(column: pa.ListArray) -> Iterator[tuple[Block, ...]]:
    """The blocks of each document; read field by field, for a dictionary each would cost several times as much."""
    values = column.flatten()
    kinds, starts, ends, levels, pages = (values.field(i).to_pylist() for i in range(5))
    paths = values.field(5)
    names, ends_of_paths = paths.flatten().to_pylist(), paths.value_lengths().to_pylist()
    blocks, at = [], 0
    previous: tuple[str, ...] = ()
    for kind, start, end, level, page, length in zip(kinds, starts, ends, levels, pages, ends_of_paths, strict=True):
        path = tuple(names[at : at + length])
        at += length
        previous = path = previous if path == previous else path  # equal paths share one tuple
        blocks.append(Block(kind, start, end, level, page, path))
    first = 0
    for count in column.value_lengths().to_pylist():
        yield tuple(blocks[first : first + count])
        first += count


def _add(columns: dict[str, list[Any]], row: Row, chunks: Sequence[Chunk], cutting: Cutting) -> None:
    """Appends the rows of one document's chunks. Equal chunks of a document get distinct, stable ids."""
    count = len(chunks)
    document_id = row["document_id"]
    seen: Counter[str] = Counter()
    text_hashes, ids = [], []
    for chunk in chunks:
        text_hash = sha256_hex(chunk.text)
        ids.append(chunk_id(document_id, text_hash, seen[text_hash]))
        text_hashes.append(text_hash)
        seen[text_hash] += 1
    inputs = [sha256_hex(cutting.document_prefix + chunk.input_text) for chunk in chunks]
    for name in ("document_id", "source", "uri", "title", "language", "allowed_groups"):
        columns[name] += [row[name]] * count
    columns["generation"] += [cutting.chunking_id] * count
    columns["document_chunks"] += [count] * count
    columns["document_hash"] += [row["row_hash"]] * count
    columns["chunk_id"] += ids
    columns["text_hash"] += text_hashes
    columns["input_hash"] += inputs
    columns["ordinal"] += [chunk.ordinal for chunk in chunks]
    columns["text"] += [chunk.text for chunk in chunks]
    columns["input_text"] += [chunk.input_text for chunk in chunks]
    columns["token_count"] += [chunk.token_count for chunk in chunks]
    columns["heading_path"] += [chunk.heading_path for chunk in chunks]
    columns["start_offset"] += [chunk.start for chunk in chunks]
    columns["end_offset"] += [chunk.end for chunk in chunks]
    columns["page"] += [chunk.page for chunk in chunks]
    columns["row_hash"] += _row_hashes(row, chunks, ids, text_hashes, inputs, cutting.chunking_id)


def _row_hashes(
    row: Row, chunks: Sequence[Chunk], ids: Sequence[str], texts: Sequence[str], inputs: Sequence[str], chunking_id: str
) -> Iterator[str]:
    """`fingerprint` of each row without its two texts.

    The JSON that is hashed is put together from what a document's chunks share: to write each one anew would take
    several times as long.
    """
    groups = _list(row["allowed_groups"])
    opening = f'{{"allowed_groups":{groups},"chunk_id":"'
    shared = (
        f'","document_chunks":{len(chunks)},"document_hash":"{row["row_hash"]}","document_id":"{row["document_id"]}"'
    )
    generation = f',"generation":"{chunking_id}","heading_path":'
    language = f'","language":{_string(row["language"])},"ordinal":'
    source = f',"source":{_string(row["source"])},"start_offset":'
    title, uri = f',"title":{_string(row["title"])},"token_count":', f',"uri":{_string(row["uri"])}}}'
    for chunk, key, text_hash, input_hash in zip(chunks, ids, texts, inputs, strict=True):
        page = "null" if chunk.page is None else chunk.page
        yield sha256_hex(
            f'{opening}{key}{shared},"end_offset":{chunk.end}{generation}{_list(chunk.heading_path)}'
            f',"input_hash":"{input_hash}{language}{chunk.ordinal},"page":{page}{source}{chunk.start}'
            f',"text_hash":"{text_hash}"{title}{chunk.token_count}{uri}'
        )[:ID_LENGTH]


def _string(value: str | None) -> str:
    return "null" if value is None else encode_basestring(value)


def _list(values: Sequence[str]) -> str:
    return f"[{','.join(map(encode_basestring, values))}]"
