"""The watch launches what changed, loses nothing, and leaves alone what fails."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rag_assets.automation.runs import QUIET
from rag_assets.automation.sensors import files
from rag_assets.ingestion import watch as rules
from rag_assets.ledger import FailedDocument
from rag_assets_tests.automation.ticks import Watcher, ingest_one
from rag_assets_tests.conftest import SmallProject


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ticks follow one another at once, so what the daemon's pace would allow must not wait."""
    monkeypatch.setattr(files, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(files, "SHARE_OF_TIME", 1e9)


@pytest.fixture
def watcher(small_project: SmallProject) -> Watcher:
    small_project.configure(handbook="", wiki="")
    small_project.write("handbook/a.md", "# A\n\nApples.\n")
    small_project.write("wiki/b.md", "# B\n\nPears.\n")
    return Watcher(small_project)


def test_new_sources_are_launched_once(watcher: Watcher) -> None:
    assert watcher.launched() == ["handbook", "wiki"]
    assert watcher.said() == "Nothing changed: 2 of 2 sources looked at, 2 files."


def test_every_change_of_a_file_and_back_is_launched(watcher: Watcher) -> None:
    watcher.tick()
    for text in ("# A\n\nBananas.\n", "# A\n\nApples.\n", "# A\n\nBananas.\n"):
        watcher.project.write("handbook/a.md", text)
        assert watcher.launched() == ["handbook"]
        assert watcher.launched() == []


def test_an_edit_that_keeps_size_and_time_is_launched(watcher: Watcher) -> None:
    file = watcher.project.write("handbook/a.md", "# A\n\nApples.\n")
    before = file.stat()
    watcher.tick()
    watcher.tick()
    file.write_text("# A\n\nAppals.\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert watcher.launched() == ["handbook"]


def test_a_new_and_a_vanished_file_are_launched(watcher: Watcher) -> None:
    watcher.tick()
    file = watcher.project.write("wiki/c.md", "# C\n")
    assert watcher.launched() == ["wiki"]
    file.unlink()
    assert watcher.launched() == ["wiki"]
    assert watcher.launched() == []


def test_a_launch_whose_tick_was_lost_is_repeated(watcher: Watcher) -> None:
    watcher.tick()
    watcher.tick()
    before = watcher.cursor
    watcher.project.write("wiki/c.md", "# C\n")
    assert watcher.launched() == ["wiki"]
    watcher.cursor = before  # the daemon died before it kept the new one
    assert watcher.launched() == ["wiki"]
    assert watcher.launched() == []


def test_a_change_of_the_settings_of_a_source_or_of_the_chunking_is_launched(watcher: Watcher) -> None:
    watcher.tick()
    watcher.project.configure(handbook="token_budget: 1000", wiki="refresh_cron: 0 6 * * *")
    assert watcher.launched() == ["handbook"]
    watcher.project.configure("chunking:\n  max_tokens: 100", handbook="token_budget: 1000", wiki="")
    assert watcher.launched() == ["handbook", "wiki"]


def test_what_the_configuration_turns_off_is_left_alone(watcher: Watcher) -> None:
    watcher.project.configure(handbook="watch: false", wiki="")
    assert watcher.launched() == ["wiki"]
    watcher.project.configure("automation:\n  watch_files: false", handbook="", wiki="")
    assert watcher.said() == "Off: automation.watch_files is false in the configuration."
    watcher.project.configure(handbook="", wiki="")
    assert watcher.launched() == ["handbook"]


def test_a_file_that_is_being_written_is_waited_for(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "QUIET_SECONDS", 0.3)
    watcher.tick()
    watcher.tick()
    file, stop = watcher.project.root / "wiki" / "long.md", threading.Event()
    writer = threading.Thread(target=_write_until, args=(file, stop))
    writer.start()
    try:
        while not file.exists():
            time.sleep(0.01)
        assert "1 still being written to." in watcher.said()
        monkeypatch.setattr(files, "RESTLESS_SECONDS", 0.1)
        assert watcher.launched() == ["wiki"], "a file that never rests is not waited for for ever"
    finally:
        stop.set()
        writer.join()
    watcher.project.write("wiki/long.md", "the end")
    assert watcher.launched() == ["wiki"], "what was written after the launch is not lost"


def _write_until(file: Path, stop: threading.Event) -> None:
    with file.open("a") as out:
        while not stop.is_set():
            out.write("word ")
            out.flush()
            time.sleep(0.02)


def test_a_folder_that_cannot_be_listed_is_paused_and_comes_back_by_itself(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FIRST_BACKOFF_SECONDS", 0.0)
    watcher.tick()
    watcher.tick()
    folder = watcher.project.root / "wiki"
    folder.rename(folder.with_name("away"))
    for count in range(1, 5):
        reason = watcher.said()
        assert f"{count} failure" in reason
        assert "does not exist" in reason
        assert "paused" not in reason
    assert "wiki paused since" in watcher.said()
    folder.with_name("away").rename(folder)
    assert watcher.said() == "Nothing changed: 2 of 2 sources looked at, 2 files."


def test_failures_are_tried_again_after_a_growing_wait_and_then_paused(watcher: Watcher) -> None:
    watcher.tick()
    watcher.tick()
    with watcher.project.open() as opened:
        watch = opened.ledger.watches()["wiki"]
        now = datetime.now(UTC)
        waits = []
        for count in range(1, 6):
            watch = rules.failed(watch, "wiki", "The provider is busy.", now, pause_after=5)
            waits.append((rules.retry_at(watch) - now).total_seconds())
            assert (watch.paused_at is not None) == (count == 5)
        assert waits == [10, 20, 40, 80, 160]
        listing = rules.Listing(watch.digest, watch.files)
        assert not rules.is_due(watch, listing)
        assert rules.is_due(watch, replace(listing, digest="other"))
        assert rules.is_due(replace(watch, paused_at=None), listing)


def test_a_document_whose_time_to_be_tried_again_has_come_is_launched_for(watcher: Watcher) -> None:
    watcher.project.configure(wiki="")
    assert watcher.launched() == ["wiki"]
    assert ingest_one(watcher.project, "wiki").succeeded
    assert watcher.launched() == []
    later = datetime.now(UTC) + timedelta(hours=1)
    with watcher.project.open() as project:
        project.ledger.record_failures("wiki", [FailedDocument("b.md", "b", "load", "gone", "gate", later)])
        assert watcher.launched() == []
        project.ledger.retry_failures("wiki", ["b.md"])
    assert watcher.launched() == ["wiki"]
    assert ingest_one(watcher.project, "wiki").succeeded
    assert watcher.launched() == []


@pytest.mark.slow
def test_a_gate_pauses_a_source_at_once_and_a_new_budget_resumes_it(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FIRST_BACKOFF_SECONDS", 0.0)
    watcher.project.configure(handbook="token_budget: 1", wiki="")
    assert watcher.launched() == ["handbook", "wiki"]
    assert not ingest_one(watcher.project, "handbook").succeeded
    assert ingest_one(watcher.project, "wiki").succeeded
    reason = watcher.said()
    assert "handbook paused since" in reason
    assert "token_budget" in reason
    assert watcher.said() == reason, "the same failure is counted once"
    watcher.project.configure(handbook="token_budget: 1000", wiki="")
    assert watcher.launched() == ["handbook"]
    assert ingest_one(watcher.project, "handbook").succeeded
    assert watcher.said() == "Nothing changed: 2 of 2 sources looked at, 2 files."


def test_after_a_week_every_file_is_read_again(watcher: Watcher) -> None:
    watcher.tick()
    watcher.tick()
    assert ingest_one(watcher.project, "wiki").materialized["raw_documents"]["documents_opened"] == 1
    with watcher.project.open() as opened:
        watch = opened.ledger.watches()["wiki"]
        opened.ledger.record_watch(replace(watch, verified_at=datetime.now(UTC) - timedelta(days=8)))
    requests = watcher.tick().run_requests or []
    assert [(request.partition_key, request.run_config) for request in requests] == [("wiki", files.VERIFY)]
    assert watcher.launched() == [], "and then not before the next week"

    from rag_assets.definitions import defs

    result = defs.resolve_job_def("ingest_source").execute_in_process(
        instance=watcher.project.instance, partition_key="wiki", run_config={**QUIET, **requests[0].run_config}
    )
    made = result.asset_materializations_for_node("raw_documents")[0].metadata
    assert made["documents_opened"].value == 1
    assert made["table_versions_committed"].value == 0


def test_many_new_sources_at_once_keep_the_cursor_small(small_project: SmallProject) -> None:
    names = [f"source-{number:03}" + "x" * 40 for number in range(120)]
    small_project.configure(**dict.fromkeys(names, ""))
    watcher = Watcher(small_project)
    first = watcher.launched()
    assert watcher.cursor is not None
    assert len(watcher.cursor) < 100_000
    assert first + watcher.launched() == names
    assert watcher.launched() == []


@pytest.mark.slow
def test_ten_thousand_files_are_looked_at_quickly_with_a_small_cursor(watcher: Watcher) -> None:
    folder = watcher.project.root / "wiki"
    for number in range(10_000):
        (folder / f"{number:05}.md").touch()
    assert watcher.launched() == ["handbook", "wiki"]
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        assert watcher.said() == "Nothing changed: 2 of 2 sources looked at, 10,002 files."
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 2
    assert len(watcher.cursor or "") < 1_000
