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


GOLDEN_QUESTIONS = pa.schema(
    [
        pa.field("question_id", pa.string(), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field(
            "expected",
            pa.list_(
                pa.struct(
                    [
                        pa.field("uri", pa.string(), nullable=False),
                        pa.field("source", pa.string(), nullable=False),
                        pa.field("heading", pa.string()),
                        pa.field("page", pa.int32()),
                    ]
                )
            ),
            nullable=False,
        ),
        pa.field("answers", pa.list_(pa.string()), nullable=False),
        pa.field("answerable", pa.bool_(), nullable=False),
        pa.field("tags", pa.list_(pa.string()), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("question_hash", pa.string(), nullable=False),
        pa.field("row_hash", pa.string(), nullable=False),
    ]
)

TRAINING_EXAMPLES = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("example_set", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("prompt", pa.string(), nullable=False),
        pa.field("answer", pa.string(), nullable=False),
        pa.field("accepted", pa.list_(pa.string()), nullable=False),
        pa.field("quotes", pa.list_(pa.string()), nullable=False),
        pa.field("expected", GOLDEN_QUESTIONS.field("expected").type, nullable=False),
        pa.field("messages", pa.string(), nullable=False),
        pa.field("answerable", pa.bool_(), nullable=False),
        pa.field("closed_book", pa.bool_(), nullable=False),
        pa.field("style", pa.string()),
        pa.field("row_hash", pa.string(), nullable=False),
        pa.field("loaded_at", TIMESTAMP, nullable=False),
    ]
)


DESCRIPTIONS = {
    "document_id": "Hash of source and uri, 32 characters.",
    "source": "The source, as configured; also the partition.",
    "uri": "Path of the document below the root of its source.",
    "title": "Of the document, by its own words where it has any.",
    "media_type": "What kind of file it was.",
    "text": "The document's or the chunk's text.",
    "characters": "Length of the text.",
    "blocks": "Headings, paragraphs, lists, tables and code, with their offsets in the text.",
    "content_hash": "SHA-256 of the file's bytes.",
    "fingerprint": "The cheap change gate: size, times, inode or ETag, and settings of the source.",
    "parser": "Name and version of the parser.",
    "published_at": "When the document says it was published.",
    "language": "ISO 639-1 code, where it is known.",
    "allowed_groups": "Who may see it; empty means everyone.",
    "metadata": "What else the document says of itself, as JSON.",
    "row_hash": "Hash of everything in the row that counts: equal hash, equal row.",
    "loaded_at": "When the document or example was read.",
    "chunk_id": "Hash of document, text and occurrence, 32 characters; stable while the text is.",
    "generation": "Chunker and chunking settings that cut it.",
    "ordinal": "Place among the document's chunks, from 0.",
    "document_chunks": "How many chunks this version of the document has.",
    "text_hash": "SHA-256 of the chunk's text.",
    "input_text": "What is embedded: heading prefix and text.",
    "input_hash": "SHA-256 of exactly what is embedded.",
    "token_count": "Exact tokens of what is embedded, special tokens included.",
    "heading_path": "The headings the chunk stands under, outermost first.",
    "start_offset": "Where the chunk begins in the document's text.",
    "end_offset": "Where it ends.",
    "page": "Page it begins on, from 1, for paged formats.",
    "document_hash": "row_hash of the document the chunk was cut from.",
    "body": "What full text search reads.",
    "vector": "Unit vector of the input in this embedding space.",
    "created_at": "When the vector was bought.",
    "question_id": "Of the golden question, as its file says, or a hash of its words.",
    "question": "What is asked.",
    "expected": "Where the answer is: documents by uri, or parts of them by heading or page.",
    "answers": "What is accepted as an answer.",
    "answerable": "Whether the documents answer it; if not, a refusal is expected.",
    "tags": "Groups that results are also reported by.",
    "split": "train, validation or gate, by a hash of the question's words.",
    "example_id": "Hash of the set and of what is asked, 32 characters.",
    "example_set": "The set of examples, as configured; also the partition.",
    "kind": "What it was made from: questions, posts, chat, golden or ratings.",
    "origin": "Where it comes from: file and line, golden question, or answer in the ledger.",
    "prompt": "What is asked.",
    "answer": "What is to be answered.",
    "accepted": "Pieces of text of which the right passage holds one.",
    "quotes": "Sentences that the answer stands on, word for word, where they are known.",
    "messages": "The conversation as it was given, as JSON, for examples in chat format; else empty.",
    "closed_book": "Whether it is trained without passages.",
    "style": "The style that it teaches.",
    "question_hash": "Hash of question, expected places, answers and answerable.",
}
"""Column → what it holds, for people."""
