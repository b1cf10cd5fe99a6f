"""Tasks that workers are given in tests: named in a module of their own, as everything is that another process runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Words:
    """A job about words."""

    words: tuple[str, ...]

    @property
    def documents(self) -> int:
        return len(self.words)

    @property
    def payload(self) -> Any:
        return self.words

    def parts(self) -> Sequence[Words]:
        return [Words((word,)) for word in self.words]


def shout(words: Sequence[str], ending: str) -> list[tuple[str, int]]:
    """The words, louder, and the process that was asked; one named `die` ends it, one named `raise` fails."""
    if "die" in words:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "raise" in words:
        raise ValueError("no such word")
    if "sleep" in words:
        time.sleep(600)
    os.write(1, b"what a library prints")
    return [(word.upper() + ending, os.getpid()) for word in words]
