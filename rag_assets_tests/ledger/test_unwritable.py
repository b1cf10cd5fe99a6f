"""A ledger whose disk takes no writes is read as it stands, unless that would forget rows; answers go on without it."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rag_assets.errors import LedgerError, LedgerUnwritableError
from rag_assets.ledger import Ledger, OnRecord
from rag_assets.models.usage import ExpectedCall, Usage

PROGRAM = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, 16_384))  # less than the file that SQLite makes to read a log

from rag_assets.errors import LedgerUnwritableError
from rag_assets.ledger import Ledger

with Ledger(f"sqlite:///{sys.argv[1]}") as ledger:
    print(sorted(ledger.denied().documents))
    try:
        ledger.deny_documents("s", [("d2", "b.md")], reason="gone")
    except LedgerUnwritableError as error:
        print("refused:", error.problem.rpartition(": ")[2])
try:
    Ledger(f"sqlite:///{sys.argv[2]}")
except LedgerUnwritableError:
    print("not opened")
"""
USAGE = Usage("p", "m", "embedding", 1, 0, 1, 0.0, 1.0)


def test_it_is_read_as_it_stands_but_not_without_its_newest_rows(tmp_path: Path) -> None:
    whole, behind = tmp_path / "a % b.sqlite", tmp_path / "behind.sqlite"
    with Ledger(f"sqlite:///{whole}") as ledger:
        ledger.deny_documents("s", [("d1", "a.md")], reason="gone")
    with Ledger(f"sqlite:///{behind}") as ledger:
        ledger.deny_documents("s", [("d1", "a.md")], reason="gone")  # it is in the log, while somebody has it open
        killed = tmp_path / "killed.sqlite"
        for end in ("", "-wal"):
            shutil.copy(f"{behind}{end}", f"{killed}{end}")
    assert killed.with_name("killed.sqlite-wal").stat().st_size
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(whole), str(killed)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["['d1']", "refused: attempt to write a readonly database.", "not opened"]


class Sink:
    """What `OnRecord` stands before: it raises what it is given."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.recorded = 0

    def admit(self, call_id: str, expected: Callable[[], ExpectedCall]) -> None:
        raise AssertionError("nobody calls a model here")

    def release(self, call_id: str) -> None:
        raise AssertionError("nobody calls a model here")

    def record(self, usage: Usage) -> None:
        if self.error is not None:
            raise self.error
        self.recorded += 1


@contextmanager
def said(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    with caplog.at_level(logging.WARNING):
        messages: list[str] = []
        yield messages
        messages += [record.getMessage() for record in caplog.records]


def test_what_cannot_be_recorded_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    full = LedgerUnwritableError("The ledger x failed: database or disk is full.", fix="Make room.")
    record = OnRecord("answer", Sink(full))
    with said(caplog) as messages:
        record.record(USAGE)
        with record.where_possible():
            Sink(full).record(USAGE)
    assert messages == [
        "warning: this answer is not on record. The ledger x failed: database or disk is full. Make room."
    ]


def test_what_can_be_recorded_is_and_other_errors_are_raised(caplog: pytest.LogCaptureFixture) -> None:
    sink = Sink(None)
    with said(caplog) as messages:
        OnRecord("answer", sink).record(USAGE)
    assert (sink.recorded, messages) == (1, [])
    with pytest.raises(LedgerError):
        OnRecord("answer", Sink(LedgerError("The ledger x is locked."))).record(USAGE)
