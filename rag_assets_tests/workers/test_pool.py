from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_assets.errors import WorkerError
from rag_assets.workers import Died, Task, pool, work
from rag_assets_tests.workers.tasks import Words, shout

SHOUT = Task(shout, ("!",))
ROOT = str(Path(__file__).resolve().parents[2])


def answers(*jobs: tuple[str, ...], isolated: bool = True, task: Task = SHOUT) -> dict[str, object]:
    """Word → what came of it."""
    found: dict[str, object] = {}
    count = sum(map(len, jobs))
    for job, answer in work(map(Words, jobs), task, documents=count, isolated=isolated, processes=2):
        found.update(zip(job.words, [answer] if isinstance(answer, Died) else answer, strict=True))
    return found


def test_a_worker_that_dies_costs_the_one_document_that_killed_it() -> None:
    found = answers(("a", "b"), ("c", "die", "d"), ("e",))
    died = found.pop("die")
    assert isinstance(died, Died)
    assert died.how == "SIGSEGV"
    assert {word: answer[0] for word, answer in found.items()} == {word: f"{word.upper()}!" for word in "abcde"}  # type: ignore[index]
    assert os.getpid() not in {answer[1] for answer in found.values()}  # type: ignore[index]


def test_little_work_is_done_in_this_process() -> None:
    found = answers(("a",), ("b",), isolated=False)
    assert {answer[1] for answer in found.values()} == {os.getpid()}  # type: ignore[index]


def test_work_moves_to_workers_once_they_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MEASURED_SECONDS", -1.0)
    monkeypatch.setattr(pool, "WORTH_SECONDS", -1.0)
    found = answers(("a",), ("b",), ("c",), isolated=False)
    assert sorted(found) == ["a", "b", "c"]
    assert found["a"][1] == os.getpid()  # type: ignore[index]
    assert os.getpid() not in {found[word][1] for word in "bc"}  # type: ignore[index]


def test_what_cannot_be_sent_to_another_process_is_done_in_this_one() -> None:
    here = Task(lambda words: [(word, os.getpid()) for word in words], ())
    assert answers(("a",), ("b",), task=here) == {"a": ("a", os.getpid()), "b": ("b", os.getpid())}


def test_an_error_of_the_task_and_one_of_the_jobs_end_the_work() -> None:
    with pytest.raises(ValueError, match="no such word"):
        answers(("a",), ("raise",))

    def broken() -> Iterator[Words]:
        yield Words(("a",))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(work(broken(), SHOUT, documents=2, isolated=True, processes=1))


def test_a_worker_that_cannot_be_started_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(WorkerError, match="cannot be started"):
        answers(("a",))


def test_workers_end_when_their_work_is_broken_off() -> None:
    running = work(map(Words, [("a",), ("sleep",)]), SHOUT, documents=2, isolated=True, processes=1)
    _, answer = next(running)
    running.close()  # type: ignore[attr-defined]
    assert not alive(answer[0][1])


@pytest.mark.parametrize("how", ["-c", "-"])
def test_workers_need_no_main_module_and_end_with_a_parent_that_is_killed(how: str) -> None:
    code = (
        "from rag_assets.workers import Task, work\n"
        "from rag_assets_tests.workers.tasks import Words, shout\n"
        "jobs = map(Words, [('a',), ('sleep',)])\n"
        "for _, answer in work(jobs, Task(shout, ('!',)), documents=2, isolated=True, processes=1):\n"
        "    print(answer[0][1], flush=True)\n"
    )
    arguments, given = (["-c", code], None) if how == "-c" else (["-"], code)
    parent = subprocess.Popen(
        [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert parent.stdin is not None and parent.stdout is not None
    if given:
        parent.stdin.write(given)
    parent.stdin.close()
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(pid)


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
