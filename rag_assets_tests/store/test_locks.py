from __future__ import annotations

import multiprocessing
import os
import threading
from pathlib import Path

import pytest

from rag_assets.errors import TableLockedError
from rag_assets.store.locks import HeldLock, held_locks, table_lock
from rag_assets_tests.store.writers import hold_lock


def test_the_lock_can_be_taken_again_by_the_thread_that_has_it(tmp_path: Path) -> None:
    with table_lock(tmp_path / "locks", "t", 1.0):
        with table_lock(tmp_path / "locks", "t", 1.0):
            pass
        assert held_locks(tmp_path / "locks") == [HeldLock("t", os.getpid())]
    assert held_locks(tmp_path / "locks") == []


def test_the_lock_keeps_other_threads_out(tmp_path: Path) -> None:
    refused = []

    def enter() -> None:
        try:
            with table_lock(tmp_path, "t", 0.05):
                pass
        except TableLockedError as error:
            refused.append(error)

    with table_lock(tmp_path, "t", 1.0), table_lock(tmp_path, "another", 1.0):
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
    assert f"process {os.getpid()}" in refused[0].problem
    enter()
    assert len(refused) == 1


def test_the_lock_of_another_process_is_named_and_ends_with_it(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    held = spawn.Event()
    holder = spawn.Process(target=hold_lock, args=(tmp_path, "t", held))
    holder.start()
    try:
        assert held.wait(timeout=60)
        with pytest.raises(TableLockedError, match=f"process {holder.pid}") as raised, table_lock(tmp_path, "t", 0.1):
            pass
        assert "run this again" in raised.value.fix
        assert held_locks(tmp_path) == [HeldLock("t", holder.pid or 0)]
    finally:
        holder.kill()
        holder.join()
    with table_lock(tmp_path, "t", 5.0):
        assert held_locks(tmp_path) == [HeldLock("t", os.getpid())]
