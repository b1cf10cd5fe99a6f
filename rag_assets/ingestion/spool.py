"""Vectors on their way into their table: each answer of the model is appended to a file the moment it arrives.

    <data_dir>/spool/<space>/<owner>.lock       held by the process that embeds, for as long as it lives
    <data_dir>/spool/<space>/<owner>.<n>.spool  what it received of its n-th window; gone once that is in the table

Rows go into the table by the window, since each commit there costs 10-20 ms whatever its size. A process that is killed
in between leaves its files, whose lock the operating system has let go: `take_over` brings them into the table before
anything is embedded.

A record is a header (mark, rows, dimension, checksum) and, as little endian, the hashes (32 bytes each), the token
counts (int32) and the vectors (float32). A record that is cut short or does not fit its checksum ends the file.

Nothing is forced to the disk. What a process has written outlives its SIGKILL, which is what this is for. A power
failure can take the last seconds of it, as it can of the table, whose files are not forced to the disk either.
"""

from __future__ import annotations

import os
import re
import struct
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from rag_assets.errors import StoreError
from rag_assets.ingestion.input_hashes import HASH_BYTES, RAW, Raw
from rag_assets.models.vectors import Vectors

HEADER = struct.Struct("<4sIII")
MARK = b"RAV1"
ACQUIRE_SECONDS = 10
NAME = re.compile(r"(?P<owner>[0-9a-f]{32})\.(?:lock|(?P<window>\d+)\.spool)")


@dataclass(frozen=True, slots=True)
class Received:
    """Embedded inputs: hashes [n], vectors float32 [n, dimension], tokens [n]."""

    hashes: Raw
    vectors: Vectors
    token_counts: NDArray[np.int32]


class Spool:
    """The files of one process for one space. `owner` names it; it counts as alive until `close`, or until it dies."""

    def __init__(self, folder: Path) -> None:
        self.owner = uuid.uuid4().hex
        self._folder = folder
        self._windows = 0
        self._file: int | None = None
        self._lock = _lock_of(folder, self.owner)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=ACQUIRE_SECONDS)  # somebody may just look whether its owner is dead
        except OSError as error:
            raise _unusable(folder, error) from None

    def next_window(self) -> Path:
        """Begins a new file, to which `append` writes from now on."""
        self._close_file()
        self._windows += 1
        path = self._folder / f"{self.owner}.{self._windows}.spool"
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise _unusable(self._folder, error) from None
        return path

    def append(self, received: Received) -> None:
        """Keeps what one request brought. Raises `StoreError`, and leaves the file as it was before."""
        assert self._file is not None
        record = _packed(received)
        end = os.fstat(self._file).st_size
        try:
            written = 0
            while written < len(record):
                written += os.write(self._file, record[written:])
        except OSError as error:
            os.ftruncate(self._file, end)
            raise _unusable(self._folder, error) from None

    def close(self) -> None:
        """Ends it. What is still in its files is for the next process to take over."""
        self._close_file()
        if not segments_of(self._folder, self.owner):
            _lock_file(self._folder, self.owner).unlink(missing_ok=True)
        self._lock.release()

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_records(path: Path) -> Iterator[Received]:
    """The records of a file, up to the first that was not written whole."""
    with path.open("rb") as file:
        while len(header := file.read(HEADER.size)) == HEADER.size:
            mark, rows, dimension, checksum = HEADER.unpack(header)
            size = rows * (HASH_BYTES + 4 + 4 * dimension)
            body = file.read(size) if mark == MARK else b""
            if len(body) != size or zlib.crc32(body) != checksum:
                return
            hashes, tokens, vectors = np.split(
                np.frombuffer(body, np.uint8), [rows * HASH_BYTES, rows * HASH_BYTES + 4 * rows]
            )
            yield Received(
                hashes.view(RAW), vectors.view("<f4").reshape(rows, dimension), tokens.view("<i4").astype(np.int32)
            )


def owners(folder: Path) -> list[str]:
    """Who has files in `folder`, alive or dead. What others put there is left alone."""
    named = (NAME.fullmatch(path.name) for path in folder.iterdir()) if folder.is_dir() else ()
    return sorted({name["owner"] for name in named if name})


def segments_of(folder: Path, owner: str) -> list[Path]:
    """The files of `owner`, oldest first."""
    named = ((NAME.fullmatch(path.name), path) for path in folder.glob(f"{owner}.*.spool"))
    return [path for _, path in sorted((int(name["window"]), path) for name, path in named if name)]


def lock_of_dead(folder: Path, owner: str) -> FileLock | None:
    """The lock of `owner`, acquired, if it is dead; None while it lives."""
    lock = _lock_of(folder, owner)
    try:
        lock.acquire()
    except Timeout:
        return None
    except OSError as error:
        raise _unusable(folder, error) from None
    return lock


def forget(folder: Path, owner: str) -> None:
    """Removes what is left of a dead owner. The caller has its lock, and releases it afterwards."""
    _lock_file(folder, owner).unlink(missing_ok=True)


def is_alive(folder: Path, owner: str) -> bool:
    """Whether the process behind `owner`, which embeds on this machine, still runs."""
    if not _lock_file(folder, owner).exists():
        return False
    lock = lock_of_dead(folder, owner)
    if lock is not None:
        lock.release()
    return lock is None


def _lock_file(folder: Path, owner: str) -> Path:
    return folder / f"{owner}.lock"


def _lock_of(folder: Path, owner: str) -> FileLock:
    return FileLock(_lock_file(folder, owner), timeout=0, thread_local=False)


def _packed(received: Received) -> memoryview:
    rows, dimension = received.vectors.shape
    body = b"".join(
        (
            received.hashes.tobytes(),
            received.token_counts.astype("<i4").tobytes(),
            np.ascontiguousarray(received.vectors, "<f4").tobytes(),
        )
    )
    return memoryview(HEADER.pack(MARK, rows, dimension, zlib.crc32(body)) + body)


def _unusable(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The folder {folder}, where vectors are kept as they arrive, cannot be written: {error.strerror}.",
        fix="Make it writable or make room on its disk, then run it again: it goes on where it stopped.",
    )
