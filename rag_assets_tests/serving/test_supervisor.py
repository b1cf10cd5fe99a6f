"""Processes that belong together end together, however the end comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from rag_assets.serving.supervisor import Ended, supervised

WAIT_SECONDS = 30


def alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def until(condition, seconds: float = WAIT_SECONDS) -> bool:
    deadline = time.monotonic() + seconds
    while not (reached := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(reached)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two modules to run: one writes its pid and that of a child of its own, one ends with the code it is given."""
    (tmp_path / "lasting.py").write_text(
        textwrap.dedent("""
        import os, signal, subprocess, sys, time
        if "stubborn" in sys.argv:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        with open(sys.argv[1] + ".part", "w") as file:
            file.write(f"{os.getpid()} {child.pid}")
        os.rename(sys.argv[1] + ".part", sys.argv[1])
        time.sleep(600)
        """)
    )
    (tmp_path / "ending.py").write_text("import sys\nsys.exit(int(sys.argv[1]))\n")
    (tmp_path / "parent.py").write_text(
        textwrap.dedent("""
        import sys
        from rag_assets.serving.supervisor import supervised
        with supervised() as supervisor:
            supervisor.start("lasting", "lasting", sys.argv[1])
            supervisor.wait_until(lambda: False)
        print("stopped")
        """)
    )
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(root)]))
    return tmp_path


def pids(file: Path) -> list[int]:
    assert until(file.exists), "the process did not start"
    return [int(pid) for pid in file.read_text().split()]


def test_stopping_ends_what_was_started_and_what_that_started(modules: Path) -> None:
    with supervised() as supervisor:
        supervisor.start("lasting", "lasting", str(modules / "pids"))
        started = pids(modules / "pids")
        assert all(map(alive, started))
    assert until(lambda: not any(map(alive, started)))  # the kernel takes a moment to end what was killed


def test_one_that_ignores_the_request_is_made_to_end(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_assets.serving.supervisor.STOP_SECONDS", 0.5)
    with supervised() as supervisor:
        supervisor.start("lasting", "lasting", str(modules / "pids"), "stubborn")
        started = pids(modules / "pids")
    assert until(lambda: not any(map(alive, started)))  # the kernel takes a moment to end what was killed


@pytest.mark.parametrize("code", [0, 3])
def test_the_end_of_one_is_noticed(modules: Path, code: int) -> None:
    with supervised() as supervisor:
        supervisor.start("lasting", "lasting", str(modules / "pids"))
        started = pids(modules / "pids")
        supervisor.start("ending", "ending", str(code))
        assert supervisor.wait_until(lambda: False) == Ended("ending", code)
    assert until(lambda: not any(map(alive, started)))  # the kernel takes a moment to end what was killed


def test_the_exit_code_of_the_whole() -> None:
    assert Ended("a", 3).exit_code == 3
    assert Ended("a", 0).exit_code == 1
    assert Ended("a", -signal.SIGKILL).exit_code == 137


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_stop_everything(modules: Path, number: signal.Signals) -> None:
    parent = subprocess.Popen(
        [sys.executable, str(modules / "parent.py"), str(modules / "pids")], stdout=subprocess.PIPE
    )
    started = pids(modules / "pids")
    parent.send_signal(number)
    out, _ = parent.communicate(timeout=WAIT_SECONDS)
    assert (parent.returncode, out) == (0, b"stopped\n")
    assert until(lambda: not any(map(alive, started)))  # the kernel takes a moment to end what was killed


def test_a_job_in_the_background_of_a_script_can_be_stopped(modules: Path) -> None:
    """Such a shell has its jobs ignore Ctrl-C, and they inherit that."""
    parent = subprocess.Popen(
        [sys.executable, str(modules / "parent.py"), str(modules / "pids")],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    started = pids(modules / "pids")
    parent.terminate()
    assert parent.wait(WAIT_SECONDS) == 0
    assert until(lambda: not any(map(alive, started)))  # the kernel takes a moment to end what was killed


def test_nothing_outlives_a_killed_parent(modules: Path) -> None:
    parent = subprocess.Popen([sys.executable, str(modules / "parent.py"), str(modules / "pids")])
    started = pids(modules / "pids")
    parent.kill()
    parent.wait()
    assert until(lambda: not any(map(alive, started)))


def test_a_process_is_asked_to_stop_when_those_that_use_it_have_ended(modules: Path) -> None:
    """Otherwise the daemon reports that the code server is gone while it launches a run."""
    (modules / "orderly.py").write_text(
        textwrap.dedent("""
        import pathlib, sys, time
        file = pathlib.Path(sys.argv[1])
        file.with_suffix(".up").touch()
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            asked = time.time()
            time.sleep(0.5)
            file.write_text(f"{asked} {time.time()}")
        """)
    )
    with supervised() as supervisor:
        for name in ("used", "user"):
            supervisor.start(name, "orderly", str(modules / name))
            assert until((modules / f"{name}.up").exists)
    used, user = ([float(at) for at in (modules / name).read_text().split()] for name in ("used", "user"))
    assert used[0] >= user[1]
