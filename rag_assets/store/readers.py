"""Which versions of which tables are being read, told by the operating system.

A reader holds a shared lock on a small file for as long as its handle lives. The lock ends with the process, however
that ends, so a version is free again the moment its last reader is gone. Who removes versions takes the lock alone,
without waiting: where that fails, somebody reads.

Locks are seen on one machine. A reader on another one, on a system without `flock`, or where the folder cannot be
written, is protected by the age alone that a version must have before it goes (`maintenance.KEEP_VERSIONS`).
"""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Any

try:
    import fcntl

    has_locks = True
except ImportError:  # not a POSIX system
    has_locks = False

SUFFIX = ".lock"


class Readers:
    """The readers' locks in one folder, one file for each version of each table that is read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def hold(self, handle: Any, name: str, version: int) -> None:
        """Counts `handle` as a reader of that version until it is no longer referred to."""
        descriptor = self._shared(self._folder / f"{name}@{version}{SUFFIX}")
        if descriptor is not None:
            weakref.finalize(handle, os.close, descriptor).atexit = False

    def versions(self, name: str) -> frozenset[int]:
        """The versions of the table `name` that are being read now, in whatever process."""
        found = self._folder.glob(f"{name}@*{SUFFIX}") if self._folder.is_dir() else ()
        return frozenset(int(path.stem.rpartition("@")[2]) for path in found if not self._remove_if_free(path))

    def _shared(self, path: Path) -> int | None:
        if not has_locks:
            return None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            while True:
                descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                if _is_still(path, descriptor):
                    return descriptor
                os.close(descriptor)  # it was removed as free between the two: no lock on it is seen by anyone
        except OSError:
            return None

    def _remove_if_free(self, path: Path) -> bool:
        """Whether nobody reads; the file goes then, while the lock on it is held alone."""
        if not has_locks:
            return False
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return not path.exists()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
