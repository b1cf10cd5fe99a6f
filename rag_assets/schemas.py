"""The Arrow schemas of every table, in one place.

`raw_documents` and `chunks` are one table per source, `embeddings` one per embedding space, `vector_index` one per
generation. Timestamps are microseconds in UTC. Every key column is not null.

`document_chunks` is how many chunks the version of the document has that `document_hash` names: a table can then be
judged complete, document by document, from its own rows alone.
"""

from __future__ import annotations

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", tz="UTC")

BLOCK = pa.struct(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("level", pa.int32(), nullable=False),
        pa.field("page", pa.int32()),
        pa.field("heading_path", pa.list_(pa.string()), nullable=False),
    ]
)

RAW_DOCUMENTS = pa.schema(
    [
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("media_type", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("characters", pa.int64(), nullable=False),
        pa.field("blocks", pa.list_(BLOCK), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("fingerprint", pa.string(), nullable=False),
        pa.field("parser", pa.string(), nullable=False),
        pa.field("published_at", TIMESTAMP),
        pa.field("language", pa.string()),
        pa.field("allowed_groups", pa.list_(pa.string()), nullable=False),
        pa.field("metadata", pa.string(), nullable=False),
        pa.field("row_hash", pa.string(), nullable=False),
        pa.field("loaded_at", TIMESTAMP, nullable=False),
    ]
)

CHUNKS = pa.schema(
    [
        pa.field("chunk_id", pa.string(), nullable=False),
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("generation", pa.string(), nullable=False),
        pa.field("ordinal", pa.int32(), nullable=False),
        pa.field("document_chunks", pa.int32(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("text_hash", pa.string(), nullable=False),
        pa.field("input_text", pa.string(), nullable=False),
        pa.field("input_hash", pa.string(), nullable=False),
        pa.field("token_count", pa.int32(), nullable=False),
        pa.field("heading_path", pa.list_(pa.string()), nullable=False),
        pa.field("start_offset", pa.int32(), nullable=False),
        pa.field("end_offset", pa.int32(), nullable=False),
        pa.field("page", pa.int32()),
        pa.field("allowed_groups", pa.list_(pa.string()), nullable=False),
        pa.field("document_hash", pa.string(), nullable=False),
        pa.field("row_hash", pa.string(), nullable=False),
    ]
)


def embeddings(dimension: int) -> pa.Schema:
    """One row per embedded input of one embedding space: `input_hash` → unit vector of `dimension` float32."""
    return pa.schema(
        [
            pa.field("input_hash", pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False),
            pa.field("token_count", pa.int32(), nullable=False),
            pa.field("created_at", TIMESTAMP, nullable=False),
        ]
    )


INDEX_COLUMNS = [
    "chunk_id",
    "document_id",
    "source",
    "uri",
    "title",
    "ordinal",
    "document_chunks",
    "text",
    "input_hash",
    "token_count",
    "heading_path",
    "start_offset",
    "end_offset",
    "page",
    "allowed_groups",
    "document_hash",
    "row_hash",
]


def vector_index(dimension: int) -> pa.Schema:
    """What is searched: a chunk with its vector of `dimension` float32. `body` is what full text search reads."""
    fields = [CHUNKS.field(name) for name in INDEX_COLUMNS]
    return pa.schema(
        [
            *fields,
            pa.field("body", pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False),
        ]
    )
