"""From the bytes of documents to rows of `raw_documents`: pure, and light enough to be imported by a worker process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from rag_assets import schemas
from rag_assets.documents.model import Block, Document, Loaded
from rag_assets.documents.parsing import parse
from rag_assets.errors import ParseError
from rag_assets.fingerprints import document_id, fingerprint


@dataclass(frozen=True, slots=True)
class Reading:
    """What a row says besides what its document says: its source, and what the settings of that source declare."""

    source: str
    language: str | None
    allowed_groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """A document that could not be parsed, and why."""

    uri: str
    error: str


def read_documents(loaded: Sequence[Loaded], reading: Reading) -> tuple[pa.RecordBatch, list[Unread]]:
    """The rows of the documents that can be parsed, in order, and the others. `fingerprint` is taken over as it is."""
    parsed: list[tuple[Loaded, Document]] = []
    unread: list[Unread] = []
    for item in loaded:
        try:
            parsed.append((item, parse(item.data, item.uri, language=reading.language)))
        except ParseError as error:
            unread.append(Unread(item.uri, str(error)))
    return _rows(parsed, reading), unread


def document_row(loaded: Loaded, document: Document, reading: Reading) -> dict[str, Any]:
    """The row of one parsed document as a dictionary."""
    return dict(_rows([(loaded, document)], reading).to_pylist()[0])


def _rows(parsed: Sequence[tuple[Loaded, Document]], reading: Reading) -> pa.RecordBatch:
    documents = [document for _, document in parsed]
    metadata = [json.dumps(document.metadata, sort_keys=True, ensure_ascii=False) for document in documents]
    groups = list(reading.allowed_groups)
    now = datetime.now(UTC)
    columns: dict[str, Any] = {
        "document_id": [document_id(reading.source, item.uri) for item, _ in parsed],
        "source": [reading.source] * len(parsed),
        "uri": [item.uri for item, _ in parsed],
        "title": [document.title for document in documents],
        "media_type": [document.media_type for document in documents],
        "text": [document.text for document in documents],
        "characters": [len(document.text) for document in documents],
        "blocks": _blocks([document.blocks for document in documents]),
        "content_hash": [item.content_hash for item, _ in parsed],
        "fingerprint": [item.fingerprint for item, _ in parsed],
        "parser": [document.parser for document in documents],
        "published_at": [document.published_at for document in documents],
        "language": [document.language for document in documents],
        "allowed_groups": [groups] * len(parsed),
        "metadata": metadata,
        "row_hash": [
            _row_hash(item, document, text, groups) for (item, document), text in zip(parsed, metadata, strict=True)
        ],
        "loaded_at": [now] * len(parsed),
    }
    arrays = [
        columns[field.name] if isinstance(columns[field.name], pa.Array) else pa.array(columns[field.name], field.type)
        for field in schemas.RAW_DOCUMENTS
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schemas.RAW_DOCUMENTS)


def _row_hash(item: Loaded, document: Document, metadata: str, groups: Sequence[str]) -> str:
    return fingerprint(
        content=item.content_hash,
        parser=document.parser,
        title=document.title,
        language=document.language,
        published=document.published_at.isoformat() if document.published_at else None,
        groups=groups,
        metadata=metadata,
    )


def _blocks(documents: Sequence[tuple[Block, ...]]) -> pa.ListArray:
    """The column `blocks`, built field by field: a dictionary for each block would cost more than parsing it."""
    blocks = [block for one in documents for block in one]
    values = pa.StructArray.from_arrays(
        [
            pa.array([block.kind for block in blocks], pa.string()),
            pa.array([block.start for block in blocks], pa.int32()),
            pa.array([block.end for block in blocks], pa.int32()),
            pa.array([block.level for block in blocks], pa.int32()),
            pa.array([block.page for block in blocks], pa.int32()),
            string_lists([block.heading_path for block in blocks]),
        ],
        fields=list(schemas.BLOCK),
    )
    return pa.ListArray.from_arrays(offsets_of(documents), values, type=pa.list_(schemas.BLOCK))


def string_lists(lists: Sequence[Sequence[str]]) -> pa.ListArray:
    """A column of lists of strings."""
    return pa.ListArray.from_arrays(offsets_of(lists), pa.array([one for names in lists for one in names], pa.string()))


def offsets_of(lists: Sequence[Sequence[Any]]) -> pa.Array:
    """Where each of `lists` starts when all are laid end to end; one more than there are lists."""
    offsets = [0]
    for one in lists:
        offsets.append(offsets[-1] + len(one))
    return pa.array(offsets, pa.int32())
