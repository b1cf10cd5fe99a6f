"""Rows of every table for the tests of the store, and the store itself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from rag_assets import schemas
from rag_assets.store import Store

DIMENSION = 8
TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
AWKWARD = "it's \"quoted\" \\ 'x' OR 1=1 -- ; % _ 文書 é\u0301 🙂 \n\t\0 end"


def open_store(folder: Path, *, lock_timeout_seconds: float = 60.0) -> Store:
    """A store in `folder`, as another process would open it."""
    return Store(str(folder / "lancedb"), lock_dir=folder / "locks", lock_timeout_seconds=lock_timeout_seconds)


def index_rows(keys: Iterable[str], *, source: str = "docs", row_hash: str = "1", body: str = "a body") -> pa.Table:
    """Rows of a vector index with these chunk ids."""
    chunks = list(keys)
    numbers = np.random.default_rng(len(chunks)).standard_normal((len(chunks), DIMENSION))
    units = numbers / np.linalg.norm(numbers, axis=1, keepdims=True)
    rows = [
        {
            "chunk_id": key,
            "document_id": f"document of {key}",
            "source": source,
            "uri": AWKWARD,
            "title": f"Title {AWKWARD}",
            "ordinal": 0,
            "document_chunks": 1,
            "text": f"{body} {key}",
            "input_hash": f"input of {key}",
            "token_count": 3,
            "heading_path": ["Part", AWKWARD],
            "start_offset": 0,
            "end_offset": 5,
            "page": None,
            "allowed_groups": [],
            "document_hash": "d",
            "row_hash": row_hash,
            "body": f"{body} {key}",
            "vector": unit.tolist(),
        }
        for key, unit in zip(chunks, units, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=schemas.vector_index(DIMENSION))


def embedding_rows(keys: Iterable[str], *, value: float = 1.0) -> pa.Table:
    """Rows of an embeddings table with these input hashes."""
    rows = [{"input_hash": key, "vector": [value] * DIMENSION, "token_count": 3, "created_at": TIME} for key in keys]
    return pa.Table.from_pylist(rows, schema=schemas.embeddings(DIMENSION))


def document_rows(keys: Iterable[str], *, row_hash: str = "1", fingerprint: str = "f") -> pa.Table:
    """Rows of a table of raw documents with these document ids."""
    rows = [
        {
            "document_id": key,
            "source": "docs",
            "uri": AWKWARD,
            "title": AWKWARD,
            "media_type": "text/markdown",
            "text": AWKWARD,
            "characters": len(AWKWARD),
            "blocks": [
                {"kind": "heading", "start": 0, "end": 4, "level": 1, "page": None, "heading_path": [AWKWARD]},
                {"kind": "paragraph", "start": 4, "end": 9, "level": 0, "page": 3, "heading_path": []},
            ],
            "content_hash": "c",
            "fingerprint": fingerprint,
            "parser": "markdown@1",
            "published_at": TIME,
            "language": None,
            "allowed_groups": ["staff", AWKWARD],
            "metadata": "{}",
            "row_hash": row_hash,
            "loaded_at": TIME,
        }
        for key in keys
    ]
    return pa.Table.from_pylist(rows, schema=schemas.RAW_DOCUMENTS)
