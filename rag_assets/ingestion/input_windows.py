"""The texts of inputs that have no vector yet: each once, in bounded groups, read ahead of who embeds them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pyarrow as pa

from rag_assets.ingestion.input_hashes import InputSet, Mask, raw_hashes
from rag_assets.store import Table
from rag_assets.store.sql import any_of

WINDOW_INPUTS = 2_048
"""Inputs claimed, embedded and written per round: bounds memory, and how much is at stake when a process dies."""
FILTER_GROUP = 512
READ_AHEAD = 1
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class InputWindow:
    """Inputs by their hashes, with their texts."""

    hashes: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def only(self, hashes: set[str]) -> InputWindow:
        """Those of its inputs that are among `hashes`, in the same order."""
        pairs = [pair for pair in zip(self.hashes, self.texts, strict=True) if pair[0] in hashes]
        return InputWindow([key for key, _ in pairs], [text for _, text in pairs])


def input_windows(chunks: Table, inputs: InputSet, wanted: Mask) -> Iterator[InputWindow]:
    """The inputs that `wanted` marks, in windows of `WINDOW_INPUTS`, in the order of the table.

    Few of them are looked for by their hashes, so that a small change does not read the texts of a large source.
    """
    todo = wanted.copy()
    window = InputWindow()
    for batch in _batches(chunks, inputs, wanted):
        at, present = inputs.places(raw_hashes(batch["input_hash"]))
        due = np.flatnonzero(present & todo[at])
        if not len(due):
            continue
        rows = np.sort(due[np.unique(at[due], return_index=True)[1]])
        todo[at[rows]] = False
        taken = batch.take(rows)
        for key, text in zip(taken["input_hash"].to_pylist(), taken["input_text"].to_pylist(), strict=True):
            window.hashes.append(key)
            window.texts.append(text)
            if len(window.hashes) == WINDOW_INPUTS:
                yield window
                window = InputWindow()
    if window.hashes:
        yield window


def _batches(chunks: Table, inputs: InputSet, wanted: Mask) -> Iterator[pa.RecordBatch]:
    columns = ["input_hash", "input_text"]
    if int(wanted.sum()) > WINDOW_INPUTS:
        yield from chunks.batches(columns)
        return
    for group in inputs.groups(wanted, FILTER_GROUP):
        yield from chunks.batches(columns, any_of("input_hash", group))


def read_ahead(items: Iterator[Item], depth: int = READ_AHEAD) -> Generator[Item, None, None]:
    """The same items, made by a thread that is at most `depth` of them ahead. Its error is raised here."""
    ready: queue.Queue[tuple[Item | None, Exception | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: Item | None, error: Exception | None = None) -> bool:
        while not stopped.is_set():
            try:
                ready.put((item, error), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except Exception as error:
            put(None, error)
        else:
            put(None)

    thread = threading.Thread(target=work, name="read ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stopped.set()
        thread.join()
