"""What Dagster says of failing storage, in one sentence; every other error stays what it is."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from sqlalchemy.exc import OperationalError

from rag_assets.cli.faults import storage_fault
from rag_assets.errors import LedgerError, RecordsError
from rag_assets_tests.cli.command import configure, rag_assets


def test_a_full_database_is_named_however_deep_it_lies():
    full = sqlite3.OperationalError("database or disk is full")
    try:
        try:
            raise OperationalError("INSERT …", {}, full)
        except OperationalError as error:
            raise RuntimeError("while an event was stored") from error
    except RuntimeError as error:
        fault = storage_fault(error)
    assert isinstance(fault, RecordsError)
    assert fault.problem == "Dagster's records of its runs cannot be used: database or disk is full."


def test_a_read_only_disk_is_named_with_its_path():
    fault = storage_fault(OSError(errno.EROFS, "Read-only file system", "/records/history"))
    assert fault is not None
    assert fault.problem == "The disk cannot be written /records/history: Read-only file system."


def test_our_own_words_are_kept():
    try:
        raise RuntimeError("a step failed") from LedgerError("The ledger failed.")
    except RuntimeError as error:
        assert isinstance(storage_fault(error), LedgerError)


def test_a_fault_of_the_program_stays_one():
    assert storage_fault(ValueError("a mistake")) is None
    assert storage_fault(FileNotFoundError(errno.ENOENT, "No such file", "x")) is None


def test_records_that_are_no_database_are_one_line(tmp_path: Path):
    configure(tmp_path, "wiki")
    (tmp_path / "wiki" / "a.md").write_text("# A\n\nText.\n", "utf-8")
    (tmp_path / ".rag_assets" / "dagster" / "history" / "runs.db").mkdir(parents=True)
    done = rag_assets(tmp_path, "ingest", "--json")
    assert done.code == 1
    assert done.error.startswith("Dagster's records of its runs cannot be used: unable to open database file.")
    assert done.json["error"]["type"] == "RecordsError"
