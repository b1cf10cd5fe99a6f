"""The lock of a run: who waits is told whom for, waits while the holder lives, and is let in when it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest

from rag_assets.errors import RunLockedError
from rag_assets.store import run_lock
from rag_assets.store.locks import HeldLock, held_locks
from rag_assets.store.run_lock import RunLock
from rag_assets_tests.store.writers import hold_run_lock


def lock_of(folder: Path, said: list[str] | None = None, *, timeout_seconds: float = 60.0) -> RunLock:
    on_wait = (lambda message: None) if said is None else said.append
    return RunLock(folder, "source-a", label="the source a", timeout_seconds=timeout_seconds, on_wait=on_wait)


def test_the_next_run_waits_and_is_told_once_whom_for(tmp_path: Path) -> None:
    first, said = lock_of(tmp_path), list[str]()
    first.acquire()
    assert held_locks(tmp_path) == [HeldLock("source-a", os.getpid())]
    second = lock_of(tmp_path, said)
    waiting = threading.Thread(target=second.acquire)
    waiting.start()
    waiting.join(timeout=0.5)
    assert waiting.is_alive()
    first.release()
    waiting.join(timeout=30)
    assert not waiting.is_alive()
    second.release()
    assert held_locks(tmp_path) == []
    assert len(said) == 1
    assert said[0].startswith(f"Process {os.getpid()}, since ")
    assert said[0].endswith(", works on the source a; this run waits for it.")


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    held = spawn.Event()
    holder = spawn.Process(target=hold_run_lock, args=(tmp_path, held))
    holder.start()
    assert held.wait(timeout=60)
    holder.kill()
    holder.join()
    said: list[str] = []
    lock = lock_of(tmp_path, said)
    lock.acquire()
    lock.release()
    assert said == []


@pytest.mark.slow
def test_a_live_holder_is_waited_for_and_a_stopped_one_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "BEAT_SECONDS", 1.0)
    spawn = multiprocessing.get_context("spawn")
    held = spawn.Event()
    holder = spawn.Process(target=hold_run_lock, args=(tmp_path, held, 0.1))
    holder.start()
    try:
        assert held.wait(timeout=60)
        patient = lock_of(tmp_path, timeout_seconds=0.0)
        outcome: list[BaseException] = []

        def wait() -> None:
            try:
                patient.acquire()
            except RunLockedError as error:
                outcome.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(timeout=4.5)  # more than what a silent holder would be given
        assert waiting.is_alive()
        assert holder.pid is not None
        os.kill(holder.pid, signal.SIGSTOP)
        waiting.join(timeout=30)
        assert [type(error) for error in outcome] == [RunLockedError]
        assert f"Process {holder.pid}" in str(outcome[0])
    finally:
        holder.kill()
        holder.join()
