"""A failpoint ends a process where and when it is told to, and does nothing otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from rag_assets.failpoints import VARIABLE, failpoint

PROGRAM = """
import time
from rag_assets.failpoints import failpoint
for count in range(1, 4):
    failpoint("here")
    print(count, flush=True)
failpoint("elsewhere")
time.sleep(float("{sleep}"))
print("end", flush=True)
"""


def run(wanted: str, sleep: float = 0) -> tuple[int, list[str]]:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(sleep=sleep)],
        env={**os.environ, VARIABLE: wanted},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout.split()


def test_the_first_hit_ends_the_process():
    assert run("here") == (-signal.SIGKILL, [])


def test_a_later_hit_can_be_meant():
    assert run("here@3") == (-signal.SIGKILL, ["1", "2"])


def test_the_end_can_come_in_the_middle_of_what_follows():
    assert run("elsewhere@1+50", sleep=30) == (-signal.SIGKILL, ["1", "2", "3"])


def test_other_places_go_on():
    assert run("nowhere") == (0, ["1", "2", "3", "end"])


def test_nothing_happens_without_the_variable(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    failpoint("here")
