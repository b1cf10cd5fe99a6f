"""Our side of `bench.index`, as a process of its own: the product's store, its indices and its search.

    python -m bench.index_ours ROWS QUERIES FOLDER      # prints one line of JSON

Rows go through `IndexTable.append`, in one commit for every 65,536 of them, each verified by what is stored; indices
are those that `ensure_indices` makes before a snapshot: scalar, full text, and from 50,000 rows on IVF_RQ. A search is
`rag_assets.store.search` over a pinned version, as a release answers, with its defaults. Text is stored twice, as the
product does: what is shown, and what full text search reads.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa

from bench.index_data import DIMENSION, Block, Corpus, blocks, load_corpus, queries, source_of
from bench.index_measuring import ASKED, Searches, bytes_of, timed
from rag_assets import schemas
from rag_assets.config import RetrievalSettings
from rag_assets.store import IndexTable, Store, search
from rag_assets.store import index as index_module

UPDATED_SHARE = 0.01
SCHEMA = schemas.vector_index(DIMENSION)


def rows_of(block: Block, row_hash: str) -> pa.Table:
    """A block as rows of the index; `row_hash` tells versions of a row apart."""
    ids = block.ids
    first = [one - one % 2 for one in range(block.start, block.start + len(ids))]
    values: dict[str, Any] = {
        "chunk_id": ids,
        "document_id": [f"{one:032x}" for one in first],
        "source": block.sources,
        "uri": [f"{one}.md" for one in first],
        "title": [text[:40] for text in block.texts],
        "ordinal": [one % 2 for one in range(block.start, block.start + len(ids))],
        "document_chunks": [2] * len(ids),
        "text": block.texts,
        "input_hash": [one * 2 for one in ids],
        "token_count": [120] * len(ids),
        "heading_path": [[]] * len(ids),
        "start_offset": [0] * len(ids),
        "end_offset": [len(text) for text in block.texts],
        "page": [None] * len(ids),
        "allowed_groups": [[]] * len(ids),
        "document_hash": ["d" * 32] * len(ids),
        "row_hash": [row_hash] * len(ids),
        "body": block.texts,
    }
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(block.vectors.ravel()), DIMENSION)
    arrays = [vectors if one.name == "vector" else pa.array(values[one.name], one.type) for one in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def build(index: IndexTable, corpus: Corpus, rows: int) -> dict[str, float]:
    """Writes and indexes; the time it takes to generate the rows is not counted."""
    generating = [0.0]

    def batches() -> Iterator[pa.RecordBatch]:
        start = time.perf_counter()
        for block in blocks(corpus, rows):
            made = rows_of(block, "1").to_batches()
            generating[0] += time.perf_counter() - start
            yield from made
            start = time.perf_counter()

    with index.lock():
        writing = timed(lambda: index.append(batches()))
    by_column: dict[str, float] = {}
    make = index_module.build_index

    def make_timed(handle: Any, column: str, config: object) -> None:
        by_column[column] = timed(lambda: make(handle, column, config))

    with patch.object(index_module, "build_index", make_timed):
        all_of_them = timed(index.ensure_indices)
    seconds = {"write": writing - generating[0], "index": all_of_them}
    return seconds | ({"vector_index": by_column["vector"]} if "vector" in by_column else {})


def update(index: IndexTable, corpus: Corpus, rows: int) -> dict[str, float]:
    """One row in a hundred: half of them changed, half new; then bringing them into the indices."""
    half = max(int(rows * UPDATED_SHARE / 2), 1)
    changed = Block(0, *_cut(next(blocks(corpus, half)), half))
    new = Block(rows, changed.texts, changed.vectors)
    upserts = pa.concat_tables([rows_of(changed, "2"), rows_of(new, "1")])
    return {"update": timed(lambda: index.apply(upserts, [])), "update_index": timed(index.ensure_indices)}


def _cut(block: Block, count: int) -> tuple[list[str], np.ndarray]:
    return block.texts[:count], block.vectors[:count]


def main() -> None:
    """Builds, searches, updates and searches again."""
    rows, count, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    corpus = load_corpus()
    store = Store(str(folder / "lancedb"), lock_dir=folder / "locks")
    index = store.vector_index("bench", DIMENSION)
    figures = build(index, corpus, rows)
    index.pin(index.version(), "bench")
    handle = store.open_at(index.name, index.version())
    asked = queries(corpus, count)
    hybrid, vector = RetrievalSettings(k=ASKED), RetrievalSettings(k=ASKED, mode="vector")
    text = RetrievalSettings(k=ASKED, mode="text")
    searches = Searches(asked)
    searches.ask("vector", lambda q, v: _found(search(handle, query=q, vector=v, settings=vector)))
    one = [source_of(0)]
    searches.ask("filtered", lambda q, v: _found(search(handle, query=q, vector=v, settings=vector, sources=one)))
    searches.ask("text", lambda q, v: _found(search(handle, query=q, vector=None, settings=text)))
    searches.ask("hybrid", lambda q, v: _found(search(handle, query=q, vector=v, settings=hybrid)))
    disk = bytes_of(folder)
    figures |= update(index, corpus, rows)
    print(json.dumps({"seconds": figures, "disk_bytes": disk, **searches.to_dict()}))
    shutil.rmtree(folder)


def _found(hits: list[Any]) -> list[int]:
    return [int(hit.chunk_id, 16) for hit in hits]


if __name__ == "__main__":
    main()
