"""What the C library is told about keeping memory, seen from outside of a process."""

import os
import subprocess
import sys

import pytest

from rag_assets import memory

pytestmark = pytest.mark.skipif(memory._glibc() is None, reason="the C library is not glibc")

# Frees 60 MB in pieces of 100 kB, the last of which stays, so that the heap cannot shrink from its end.
SCRIPT = """
import ctypes
{before}
pieces = [ctypes.create_string_buffer(b"x" * {size}) for _ in range({count})]
kept = pieces[-1]
del pieces
{after}
print(int(open("/proc/self/statm").read().split()[1]) * 4096)
"""


def resident(*, size: int, before: str = "", after: str = "", **environment: str) -> int:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    script = SCRIPT.format(size=size, count=60_000_000 // size, before=before, after=after)
    done = subprocess.run(
        [sys.executable, "-c", script], env=clean | environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_what_is_free_goes_back():
    kept = resident(size=100_000)
    given_back = resident(size=100_000, after="from rag_assets.memory import give_back; give_back()")

    assert kept - given_back > 40_000_000


def test_what_the_environment_says_stays(monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "7")
    monkeypatch.setenv("LANCE_DEFAULT_IO_BUFFER_SIZE", "5000000")
    for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "ARROW_DEFAULT_MEMORY_POOL"):
        monkeypatch.delenv(name, raising=False)
    environment = dict(os.environ)
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.setattr(memory, "_glibc", lambda: type("Library", (), {"mallopt": lambda self, *_: 1})())

    memory.keep_little()

    assert environment["MALLOC_ARENA_MAX"] == "7"
    assert environment["LANCE_DEFAULT_IO_BUFFER_SIZE"] == "5000000"
    assert environment["MALLOC_MMAP_THRESHOLD_"] == str(memory.MAPPED_BYTES)
    assert environment["ARROW_DEFAULT_MEMORY_POOL"] == "system"
