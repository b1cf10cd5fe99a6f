"""A disk that is full, out of files or read-only ends a run in one line; what served answers, and the next run ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rag_assets_tests.integration.crash.corpus import ANCHOR
from rag_assets_tests.integration.crash.disks import Disk, disk
from rag_assets_tests.integration.crash.drill import Drill, drill
from rag_assets_tests.integration.crash.workers import Ended

QUESTION = "What does the lighthouse keeper write down?"
ROOM_BYTES = (0, 50_000, 300_000, 1_000_000)
"""How much is left: too little to open the records, to begin a run, to end it, or to store what it brings."""
LIMIT_BYTES = 16_384
"""Less than SQLite's index of its log, and more than any output of a command here."""
NOT_ON_RECORD = "warning: this answer is not on record. The ledger "


def assert_told(ended: Ended) -> None:
    """The run failed, and each line that it said is an error for a person."""
    assert ended.code == 1, ended.said
    lines = ended.err.splitlines()
    assert lines, ended.said
    assert all(line.startswith("error: ") for line in lines), ended.said


def assert_answers(one: Drill, *, on_record: bool) -> None:
    """The serving release is searched and answered from, and where it is not on record that is said."""
    found = one.workers.run("search", ANCHOR, "--json")
    assert found.json["release"] == one.serving.release_id
    assert ANCHOR in found.json["results"][0]["text"]
    answered = one.workers.run("ask", QUESTION, "--json")
    assert answered.json["release"] == one.serving.release_id
    assert "tide" in answered.json["answer"]
    assert answered.err.startswith(NOT_ON_RECORD) != on_record, answered.said


@contextmanager
def drill_on(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Drill, Disk]]:
    """A project of which `what` is on a disk of its own."""
    place = tmp_path / "project" / ".rag_assets" if what == "data" else tmp_path / "mounted"
    with disk(place) as mounted:
        environment = {}
        if what == "dagster":
            environment["DAGSTER_HOME"] = str(place / "home")
        if what == "ledger":
            environment["LEDGER_URL"] = f"sqlite:///{place}/ledger.sqlite"
        for name, value in environment.items():  # for those who look on, too
            monkeypatch.setenv(name, value)
        settings = "ledger: {url_env: LEDGER_URL}\n" if what == "ledger" else ""
        with drill(tmp_path, 7, ("atlas",), settings=settings, **environment) as one:
            yield one, mounted


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("what", ["data", "dagster", "ledger"])
def test_a_full_disk(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with drill_on(tmp_path, what, monkeypatch) as (one, mounted):
        for room in ROOM_BYTES:
            one.corpus.edit()
            with mounted.full(but_bytes=room):
                ended = one.workers.ingest()
                if ended.code:  # with the most room a run may just fit
                    assert_told(ended)
            one.assert_intact(flips=not ended.code)
        with mounted.full():
            assert_told(one.workers.ingest())
            assert_answers(one, on_record=what == "dagster")
        one.finish()
        one.assert_nothing_to_do()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_disk_without_room_for_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with drill_on(tmp_path, "data", monkeypatch) as (one, mounted):
        one.corpus.edit()
        with mounted.out_of_files():
            assert_told(one.workers.ingest())
            assert_answers(one, on_record=False)
        one.assert_intact()
        one.finish()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_read_only_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with drill_on(tmp_path, "data", monkeypatch) as (one, mounted):
        one.corpus.edit()
        with mounted.read_only():
            assert_told(one.workers.ingest())
            assert_answers(one, on_record=False)
            listed = one.workers.run("releases", "list", "--json").json
            assert str(one.serving.release_id) in str(listed)
            looked = one.workers.run("doctor")
            assert looked.code == 1
            assert "FAIL" in looked.out
        one.assert_intact()
        one.finish()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_file_may_grow(tmp_path: Path) -> None:
    """What a quota does, and what a test can do on every machine: no write goes beyond a size of file."""
    limits = {"RLIMIT_FSIZE": LIMIT_BYTES}
    with drill(tmp_path, 8, ("atlas",)) as one:
        one.corpus.edit()
        assert_told(one.workers.ingest(limits=limits))
        answered = one.workers.run("ask", QUESTION, "--json", limits=limits)
        assert answered.json["release"] == one.serving.release_id
        assert answered.err.startswith(NOT_ON_RECORD)
        one.assert_intact()
        one.finish()
