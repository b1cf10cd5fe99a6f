"""What every side of `bench.index` measures in the same way; needs nothing but numpy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ASKED = 10
WARM_UP = 5
Ask = Callable[[str, np.ndarray], Sequence[int]]


class Searches:
    """Queries asked one after the other: milliseconds and row numbers of each, by kind of search."""

    def __init__(self, queries: Sequence[tuple[str, np.ndarray]]) -> None:
        self._queries = queries
        self.milliseconds: dict[str, list[float]] = {}
        self.found: dict[str, list[list[int]]] = {}

    def ask(self, kind: str, ask: Ask) -> None:
        """Asks all queries, after a few that are not counted."""
        for words, vector in self._queries[:WARM_UP]:
            ask(words, vector)
        took, found = [], []
        for words, vector in self._queries:
            start = time.perf_counter()
            rows = ask(words, vector)
            took.append((time.perf_counter() - start) * 1_000)
            found.append([int(row) for row in rows])
        self.milliseconds[kind], self.found[kind] = took, found

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"milliseconds": self.milliseconds, "found": self.found}


def timed(work: Callable[[], object]) -> float:
    """The seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bytes_of(folder: Path) -> int:
    """All files below `folder`."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
