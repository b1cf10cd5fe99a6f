"""From the spool into the table of vectors: this process's own windows in a thread, those of the dead at once."""

from __future__ import annotations

import copy
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from rag_assets import schemas
from rag_assets.ingestion import spool
from rag_assets.ingestion.input_hashes import hexadecimal
from rag_assets.ingestion.spool import Received, read_records
from rag_assets.ledger import Ledger
from rag_assets.store import Store, Table

WINDOWS_WAITING = 2


@dataclass(frozen=True, slots=True)
class Window:
    """What was received of one window, and the file that keeps it until it is in the table."""

    received: Sequence[Received]
    file: Path


class Landing:
    """Writes windows into the table, in a thread, while the next ones are embedded. At most two wait.

    `on_stored` is called in that thread with the hashes of a window that is stored.
    """

    def __init__(self, embeddings: Table, on_stored: Callable[[list[str]], None]) -> None:
        self.commits = 0
        self._table = copy.copy(embeddings)  # one thread uses one `Table`
        self._on_stored = on_stored
        self._windows: queue.Queue[Window | None] = queue.Queue(WINDOWS_WAITING)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="vectors", daemon=True)
        self._thread.start()

    def put(self, window: Window) -> None:
        """Hands over a window. Raises the error of an earlier one, after which nothing more is written."""
        self._windows.put(window)
        self._raise()

    def drain(self) -> None:
        """Returns when everything that was handed over is stored. Raises the error that kept it from that."""
        self._windows.join()
        self._raise()

    def close(self) -> bool:
        """Writes what it still has, and ends; returns whether all of it is stored."""
        self._windows.put(None)
        self._thread.join()
        return self._error is None

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (window := self._windows.get()) is not None:
            if self._error is None:
                try:
                    self._store(window)
                except Exception as error:
                    self._error = error
            self._windows.task_done()

    def _store(self, window: Window) -> None:
        self.commits += store_received(self._table, window.received)
        window.file.unlink(missing_ok=True)
        self._on_stored([key for one in window.received for key in hexadecimal(one.hashes)])


def store_received(embeddings: Table, received: Sequence[Received]) -> int:
    """Writes vectors, each input's once; returns the commits it took."""
    if not received:
        return 0
    hashes, first = np.unique(np.concatenate([one.hashes for one in received]), return_index=True)
    vectors = np.concatenate([one.vectors for one in received])[first]
    tokens = np.concatenate([one.token_counts for one in received])[first]
    dimension = vectors.shape[1]
    rows = pa.Table.from_arrays(
        [
            pa.array(hexadecimal(hashes), pa.string()),
            pa.FixedSizeListArray.from_arrays(pa.array(np.ravel(vectors), pa.float32()), dimension),
            pa.array(tokens, pa.int32()),
            pa.array([datetime.now(UTC)] * len(hashes), schemas.TIMESTAMP),
        ],
        schema=schemas.embeddings(dimension),
    )
    return embeddings.apply(rows, []).commits


def take_over(folder: Path, embeddings: Table, ledger: Ledger) -> int:
    """Brings what dead processes received into the table, then ends their claims; returns the commits it took."""
    commits = 0
    for owner in spool.owners(folder):
        lock = spool.lock_of_dead(folder, owner)
        if lock is None:
            continue
        try:
            for file in spool.segments_of(folder, owner):
                commits += store_received(embeddings, list(read_records(file)))
                file.unlink(missing_ok=True)
            ledger.end_claims(owner)
            spool.forget(folder, owner)
        finally:
            lock.release()
    return commits


def take_over_all(spool_dir: Path, store: Store, ledger: Ledger) -> int:
    """`take_over` for every embedding space; returns the commits it took."""
    commits = 0
    for folder in sorted(spool_dir.iterdir()) if spool_dir.is_dir() else ():
        files = (file for owner in spool.owners(folder) for file in spool.segments_of(folder, owner))
        dimension = next((one.vectors.shape[1] for file in files for one in read_records(file)), 1)
        commits += take_over(folder, store.embeddings(folder.name, dimension), ledger)
    return commits
