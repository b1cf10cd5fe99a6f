"""Several processes that write the same tables at once, and one that is killed while it writes."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from pathlib import Path

import pytest

from rag_assets_tests.store.rows import DIMENSION, index_rows, open_store
from rag_assets_tests.store.writers import ROUNDS, ROWS_PER_ROUND, write_for_ever, write_source

SOURCES = ("alpha", "beta", "gamma", "delta")


@pytest.mark.slow
def test_four_writers_lose_and_duplicate_nothing(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(len(SOURCES))
    writers = [spawn.Process(target=write_source, args=(tmp_path, source, start)) for source in SOURCES]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=120)
    assert [writer.exitcode for writer in writers] == [0] * len(SOURCES)

    store = open_store(tmp_path)
    keys = {
        source: [f"{source}-{n}-{row}" for n in range(ROUNDS) for row in range(ROWS_PER_ROUND)] for source in SOURCES
    }
    for source in SOURCES:
        assert sorted(store.raw_documents(source).rows()["document_id"].to_pylist()) == sorted(keys[source])
    shared = store.embeddings("space", DIMENSION).rows()["input_hash"].to_pylist()
    assert Counter(shared) == Counter(f"shared-{n}-{row}" for n in range(ROUNDS) for row in range(ROWS_PER_ROUND))
    index = store.vector_index("generation", DIMENSION).rows(["chunk_id", "row_hash"])
    stored = Counter(zip(index["chunk_id"].to_pylist(), index["row_hash"].to_pylist(), strict=True))
    expected: Counter[tuple[str, str]] = Counter()
    for source in SOURCES:
        for n in range(ROUNDS):
            last = n == ROUNDS - 1
            for row in range(0 if last else 1, ROWS_PER_ROUND):
                expected[f"{source}-{n}-{row}", "1" if last else "2"] += 1
    assert stored == expected


@pytest.mark.parametrize("delay_seconds", [0.0, 0.05])
def test_a_killed_writer_leaves_a_whole_table_and_the_next_one_finishes(tmp_path: Path, delay_seconds: float) -> None:
    spawn = multiprocessing.get_context("spawn")
    written = spawn.Event()
    writer = spawn.Process(target=write_for_ever, args=(tmp_path, written))
    writer.start()
    try:
        assert written.wait(timeout=60)
        time.sleep(delay_seconds)
    finally:
        writer.kill()
        writer.join()

    table = open_store(tmp_path, lock_timeout_seconds=5.0).vector_index("generation", DIMENSION)
    rows = table.rows(["chunk_id", "row_hash"]).to_pylist()
    hashes = {row["row_hash"] for row in rows if row["chunk_id"].startswith("a")}
    assert len(hashes) == 1
    assert len({row["chunk_id"] for row in rows}) == len(rows)
    assert len(rows) % 10 == 0

    wanted = index_rows([f"a{row}" for row in range(10)], row_hash="last")
    result = table.apply(wanted, [row["chunk_id"] for row in rows if row["chunk_id"].startswith("b")])
    assert (result.inserted, result.updated, result.deleted) == (0, 10, len(rows) - 10)
    table.ensure_indices()
    assert {row["row_hash"] for row in table.rows().to_pylist()} == {"last"}
    assert table.count() == 10
