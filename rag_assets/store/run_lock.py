"""One run per source at a time, and one that releases: what a run reads and judges stays as it is until it ends.

The lock is the operating system's, on a file, as those of the tables are: it ends with its process. Who waits is told
whom for, and waits for as long as the holder shows that it runs: a run that embeds for hours is no reason to fail
another. Only a holder that was stopped without being ended (Ctrl-Z, a frozen container) is given up.

Never taken by a thread that holds the lock of a table: runs take tables while they hold these. A run that takes
several takes its source before the release.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from rag_assets.errors import RunLockedError, StoreError

POLL_SECONDS = 0.05
BEAT_SECONDS = 5.0
"""How often a holder shows that it runs."""


class RunLock:
    """The lock `name`, to be acquired and released once. Any thread may release it.

    `label` says what is locked ("the source handbook"), and `run` which run locks it, for others to read. `on_wait` is
    called once, with a sentence, where another run has it.

    A holder that shows no sign of life for `timeout_seconds` (at least three beats) is given up.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        label: str,
        timeout_seconds: float,
        run: str = "",
        on_wait: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._label = label
        self._path = folder / f"{name}.lock"
        self._holder = self._path.with_suffix(".pid")
        self._patience_seconds = max(timeout_seconds, 3 * BEAT_SECONDS)
        self._run = run
        self._on_wait = on_wait
        self._lock = FileLock(self._path, timeout=0, thread_local=False)
        self._released = threading.Event()

    def acquire(self) -> None:
        """Waits for it. Raises `RunLockedError`, or `StoreError` where the folder cannot be used."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._wait()
            since = datetime.now(UTC).isoformat(timespec="seconds")
            # The first line is what `held_locks` reads.
            self._holder.write_text(f"{os.getpid()}\n{socket.gethostname()}\n{since}\n{self._run}\n", "utf-8")
        except OSError as error:
            self._lock.release()
            raise StoreError(
                f"The lock folder {self._path.parent} cannot be used: {error.strerror}.",
                fix="Make it writable, or set data_dir; if its disk is full, make room.",
            ) from None
        threading.Thread(target=_beat, args=(self._holder, self._released), name="run lock", daemon=True).start()

    def release(self) -> None:
        """Lets the next run have it."""
        self._released.set()
        self._holder.unlink(missing_ok=True)
        self._lock.release()

    def _wait(self) -> None:
        attempts = 0
        sign, seen_at = self._sign_of_life(), time.monotonic()
        while not self._try():
            attempts += 1
            if attempts == 2:  # the first may have met somebody who only looked whether the lock is held
                self._on_wait(f"{self._holder_named()} works on {self._label}; this run waits for it.")
            newest = self._sign_of_life()
            if newest != sign:
                sign, seen_at = newest, time.monotonic()
            silent_seconds = time.monotonic() - seen_at
            if silent_seconds > self._patience_seconds:
                raise RunLockedError(
                    f"{self._holder_named()} works on {self._label} and has shown no sign of life for "
                    f"{silent_seconds:,.0f} s.",
                    fix="It was stopped without being ended: let it go on or end it, then run this again.",
                )
            time.sleep(POLL_SECONDS)

    def _try(self) -> bool:
        try:
            self._lock.acquire()
        except Timeout:
            return False
        return True

    def _sign_of_life(self) -> tuple[int, int] | None:
        try:
            status = self._holder.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _holder_named(self) -> str:
        try:
            pid, host, since, run = self._holder.read_text("utf-8").split("\n")[:4]
        except (OSError, ValueError):
            return "Another process"
        elsewhere = "" if host == socket.gethostname() else f" on {host}"
        return f"Process {pid}{elsewhere}{f' ({run})' if run else ''}, since {since},"


def _beat(holder: Path, released: threading.Event) -> None:
    while not released.wait(BEAT_SECONDS):
        try:
            os.utime(holder)
        except OSError:
            return
