"""Small disks for tests: a file system in memory that can be filled, run out of files, and be made read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

BALLAST = ".ballast"
DISK_BYTES = 16 * 1024 * 1024
FILES = 3_000


@dataclass(frozen=True)
class Disk:
    """What is mounted at `folder`."""

    folder: Path

    @contextmanager
    def full(self, *, but_bytes: int = 0) -> Iterator[None]:
        """No room but `but_bytes`."""
        state = os.statvfs(self.folder)
        ballast = self.folder / BALLAST
        ballast.write_bytes(b"\0" * max(state.f_bavail * state.f_frsize - but_bytes, 0))
        try:
            yield
        finally:
            ballast.unlink()

    @contextmanager
    def out_of_files(self) -> Iterator[None]:
        """Room for bytes, and for no further file."""
        ballast = self.folder / BALLAST
        ballast.mkdir()
        for number in range(os.statvfs(self.folder).f_favail):
            (ballast / str(number)).touch()
        try:
            yield
        finally:
            shutil.rmtree(ballast)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        self._remount("ro")
        try:
            yield
        finally:
            self._remount("rw")

    def _remount(self, mode: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.folder)], check=True, capture_output=True)


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """A disk of `DISK_BYTES` at `folder`. Skips the test where this process may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={DISK_BYTES},nr_inodes={FILES}"
    try:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here, so no disk can be full")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
