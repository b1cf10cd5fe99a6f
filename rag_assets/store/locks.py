"""One writer per table at a time, across threads and processes.

LanceDB's merge silently duplicates rows when two processes merge the same new keys at once, so every write holds a
lock. It is the operating system's, on a file: it ends with the process that holds it, however that process ends, so a
stale lock cannot exist. On several machines writers are kept apart by a limit on Dagster's runs: see `Store`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from rag_assets.errors import StoreError, TableLockedError

POLL_SECONDS = 0.01
_held = threading.local()


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A table that is being written, and the process that writes it."""

    name: str
    pid: int


@contextmanager
def table_lock(folder: Path, name: str, timeout_seconds: float) -> Iterator[None]:
    """Holds the write lock of table `name`; entering it again in the same thread is free.

    Raises `TableLockedError` when another writer does not finish within `timeout_seconds`.
    """
    path = folder / f"{name}.lock"
    depths: dict[Path, int] = _held.__dict__.setdefault("depths", {})
    if depths.get(path):
        depths[path] += 1
        try:
            yield
        finally:
            depths[path] -= 1
        return
    lock = FileLock(path, timeout=timeout_seconds, thread_local=False, poll_interval=POLL_SECONDS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise TableLockedError(
            f"Table {name} is being written by {_owner(path)}, and {timeout_seconds:,.0f} s were not enough.",
            fix="Wait for that run, or end it; then run this again.",
        ) from None
    except OSError as error:
        raise StoreError(
            f"The lock folder {folder} cannot be used: {error.strerror}.", fix="Make it writable, or set data_dir."
        ) from None
    depths[path] = 1
    try:
        _owner_file(path).write_text(str(os.getpid()), "utf-8")
        yield
    finally:
        del depths[path]
        _owner_file(path).unlink(missing_ok=True)
        lock.release()


def held_locks(folder: Path) -> list[HeldLock]:
    """The locks that are held now, by table name."""
    held = []
    for path in sorted(folder.glob("*.lock")) if folder.is_dir() else ():
        lock = FileLock(path, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            held.append(HeldLock(path.stem, _pid(path)))
        else:
            lock.release()
    return held


def _owner_file(path: Path) -> Path:
    return path.with_suffix(".pid")


def _pid(path: Path) -> int:
    try:
        return int(_owner_file(path).read_text("utf-8").partition("\n")[0])
    except (OSError, ValueError):
        return 0


def _owner(path: Path) -> str:
    pid = _pid(path)
    return f"process {pid}" if pid else "another process"
