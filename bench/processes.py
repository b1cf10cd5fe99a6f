"""A command as a process of its own: its wall time, its processor time, and the most memory its processes held."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.05


@dataclass(frozen=True)
class Finished:
    """`cpu_seconds` is user and system time of the process and of the children it waited for.

    `peak_mb` is the largest sum of the proportional set sizes (resident pages, shared ones divided among those that
    map them; 10^6 bytes) of the process and its descendants, looked at every 50 ms.
    """

    out: str
    seconds: float
    cpu_seconds: float
    peak_mb: float


class CommandFailedError(Exception):
    """A measured command ended with an error; the message holds the end of what it said."""


def run(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None) -> Finished:
    """Runs `command` to its end. Raises `CommandFailedError` unless it exits with 0."""
    before = os.times()
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=os.environ | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        watch = _MemoryWatch(process.pid)
        out, err = process.communicate()
        seconds = time.perf_counter() - start
        watch.stop()
    after = os.times()
    if process.returncode:
        raise CommandFailedError(f"{' '.join(command)} ended with {process.returncode}:\n{(err or out)[-2_000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Finished(out, seconds, cpu, watch.peak / 1e6)


class _MemoryWatch:
    """Looks at a process and its descendants until it is stopped. `peak` is in bytes."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, sum(map(_resident_bytes, _family(self._pid))))


def _family(pid: int) -> list[int]:
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        except OSError:  # it ended meanwhile
            continue
    return found


def _resident_bytes(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
