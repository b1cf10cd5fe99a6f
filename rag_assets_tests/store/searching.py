"""A small index to search, written and opened as the product does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from rag_assets.config import RetrievalSettings
from rag_assets.fingerprints import document_id
from rag_assets.store import Store

DIMENSION = 8
TEXTS = {
    "pumps": "The pump moves water from the well to the tank.",
    "valves": "A valve stops the water when the tank is full.",
    "bread": "Bread rises because yeast makes gas.",
    "yeast": "Yeast eats sugar; the baker waits an hour.",
    "nothing": "",
}


def axis(number: int) -> np.ndarray:
    vector = np.zeros(DIMENSION, dtype=np.float32)
    vector[number] = 1.0
    return vector


def row(name: str, text: str, vector: np.ndarray, *, source: str = "garden", title: str = "") -> dict[str, Any]:
    return {
        "chunk_id": f"chunk-{name}",
        "document_id": document_id(source, name),
        "source": source,
        "uri": f"{name}.md",
        "title": title,
        "ordinal": 0,
        "document_chunks": 1,
        "text": text,
        "input_hash": name,
        "token_count": 9,
        "heading_path": ["Top", name],
        "start_offset": 0,
        "end_offset": len(text),
        "page": 3,
        "allowed_groups": [],
        "document_hash": f"hash-{name}",
        "row_hash": name,
        "body": text,
        "vector": vector,
    }


class Index:
    """A vector index table in a folder, written and opened as the product does."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(str(folder / "lancedb"), lock_dir=folder / "locks")
        self.table = self.store.vector_index("test", DIMENSION)

    def write(self, rows: list[dict[str, Any]]) -> Any:
        self.table.apply(pa.Table.from_pylist(rows, schema=self.table.schema), [])
        self.table.ensure_indices()
        return self.open()

    def open(self, version: int | None = None) -> Any:
        return self.store.open_at(self.table.name, version or self.table.version())


def names(hits) -> list[str]:
    return [hit.chunk_id.removeprefix("chunk-") for hit in hits]


def settings(**changes: Any) -> RetrievalSettings:
    return RetrievalSettings(**{"k": 10, **changes})


def small_index(folder: Path) -> Any:
    """`TEXTS` and one more passage, of another source, that has its words in the title."""
    rows = [row(name, text, axis(number)) for number, (name, text) in enumerate(TEXTS.items())]
    rows.append(row("kiln", "The kiln fires clay.", axis(5), source="o'brien", title="Water proofing"))
    return Index(folder).write(rows)
