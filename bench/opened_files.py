"""Counts the files that anybody opens below a folder, by asking the kernel (inotify). Linux only."""

from __future__ import annotations

import ctypes
import os
import select
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IN_OPEN, IN_ISDIR, IN_Q_OVERFLOW = 0x20, 0x40000000, 0x4000
_HEADER = struct.Struct("iIII")  # watch, mask, cookie, length of the name
BUFFER_BYTES = 1 << 20


class OpenedFiles:
    """`paths` are the distinct files opened so far; `complete` is false when the kernel's queue ran over."""

    def __init__(self) -> None:
        self.paths: set[tuple[int, bytes]] = set()
        self.complete = True

    def read(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            watch, mask, _, length = _HEADER.unpack_from(data, at)
            name = data[at + _HEADER.size : at + _HEADER.size + length].rstrip(b"\0")
            at += _HEADER.size + length
            if mask & IN_Q_OVERFLOW:
                self.complete = False
            elif not mask & IN_ISDIR:
                self.paths.add((watch, name))


@contextmanager
def watch_opened(folder: Path) -> Iterator[OpenedFiles]:
    """Watches every folder below `folder` that exists now. Raises OSError where inotify cannot be had."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    opened, ended = OpenedFiles(), threading.Event()
    try:
        for one in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
            if libc.inotify_add_watch(descriptor, os.fsencode(one), IN_OPEN) < 0:
                raise OSError(ctypes.get_errno(), "inotify_add_watch", str(one))
        reader = threading.Thread(target=_drain, args=(descriptor, opened, ended), daemon=True)
        reader.start()
        yield opened
        ended.set()
        reader.join()
    finally:
        os.close(descriptor)


def _drain(descriptor: int, opened: OpenedFiles, ended: threading.Event) -> None:
    while True:
        last = ended.is_set()
        if select.select([descriptor], [], [], 0.02)[0]:
            opened.read(os.read(descriptor, BUFFER_BYTES))
        elif last:
            return
