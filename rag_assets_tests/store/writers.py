"""What the processes of `test_writers.py` and `test_locks.py` do; spawned, so it lives in a module of its own."""

from __future__ import annotations

import time
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import pyarrow as pa

from rag_assets.store import run_lock
from rag_assets.store.locks import table_lock
from rag_assets_tests.store.rows import DIMENSION, document_rows, embedding_rows, index_rows, open_store

ROUNDS = 10
ROWS_PER_ROUND = 6


def write_source(folder: Path, source: str, start: Barrier) -> None:
    """In each round: new rows, changed rows, removed rows and shared inputs, beside the other writers."""
    store = open_store(folder)
    documents = store.raw_documents(source)
    embeddings = store.embeddings("space", DIMENSION)
    index = store.vector_index("generation", DIMENSION)
    start.wait(timeout=60)
    for number in range(ROUNDS):
        keys = [f"{source}-{number}-{row}" for row in range(ROWS_PER_ROUND)]
        documents.apply(document_rows(keys), [])
        embeddings.apply(embedding_rows([f"shared-{number}-{row}" for row in range(ROWS_PER_ROUND)]), [])
        previous = [f"{source}-{number - 1}-{row}" for row in range(ROWS_PER_ROUND)] if number else []
        new, changed = index_rows(keys, source=source), index_rows(previous[1:], source=source, row_hash="2")
        index.apply(pa.concat_tables([new, changed]), previous[:1])
        if number % 3 == 2:
            index.ensure_indices()


def write_for_ever(folder: Path, written: Event) -> None:
    """Rewrites a growing set of rows until it is killed; each commit leaves all rows with one hash per group of ten."""
    index = open_store(folder).vector_index("generation", DIMENSION)
    number = 0
    while True:
        number += 1
        index.apply(index_rows([f"a{row}" for row in range(10)], row_hash=str(number)), [])
        index.apply(index_rows([f"b{number}-{row}" for row in range(10)]), [])
        index.ensure_indices()
        written.set()


def hold_lock(folder: Path, name: str, held: Event) -> None:
    """Holds the lock of a table until it is killed."""
    with table_lock(folder, name, 10.0):
        held.set()
        time.sleep(120)


def hold_run_lock(folder: Path, held: Event, beat_seconds: float = run_lock.BEAT_SECONDS) -> None:
    """Holds the lock of the source `a` until it is killed, and shows that it lives every `beat_seconds`."""
    run_lock.BEAT_SECONDS = beat_seconds
    lock = run_lock.RunLock(folder, "source-a", label="the source a", timeout_seconds=10.0)
    lock.acquire()
    held.set()
    time.sleep(120)
