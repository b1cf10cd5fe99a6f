"""What is under way when a person stops a run is paid for, and kept."""

from __future__ import annotations

import threading
from concurrent import futures
from typing import Any

import pytest

from rag_assets.models import bounded
from rag_assets.models.bounded import run_bounded


def interrupt_once(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """The `at`-th wait of `run_bounded` is interrupted, as by Ctrl-C."""
    waits = 0

    def wait(*arguments: Any, **options: Any) -> Any:
        nonlocal waits
        waits += 1
        if waits == at:
            raise KeyboardInterrupt
        return futures.wait(*arguments, **options)

    monkeypatch.setattr(bounded, "wait", wait)


def test_an_interrupt_starts_nothing_more_and_keeps_what_arrives(monkeypatch):
    interrupt_once(monkeypatch, at=2)
    started, lock = [], threading.Lock()

    def work(job: int) -> tuple[list[int], Exception | None]:
        with lock:
            started.append(job)
        return [job], None

    kept = []
    with pytest.raises(KeyboardInterrupt):
        for result in run_bounded(work, range(100), workers=2):
            kept.append(result)
    assert sorted(kept) == sorted(started)
    assert len(started) < 100
