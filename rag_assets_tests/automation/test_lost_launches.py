"""What was launched and did not succeed is launched again: cancelled, deleted, or forgotten with the cursor."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from rag_assets.automation.behind import behind_since
from rag_assets.automation.sensors import files
from rag_assets.ingestion import watch as rules
from rag_assets.ingestion.watch import resumed
from rag_assets_tests.automation.ticks import Watcher, ingest_one, unfinished_run
from rag_assets_tests.conftest import SmallProject


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(files, "SHARE_OF_TIME", 1e9)
    monkeypatch.setattr(rules, "FIRST_BACKOFF_SECONDS", 0.0)


@pytest.fixture
def watcher(small_project: SmallProject) -> Watcher:
    small_project.configure(wiki="")
    small_project.write("wiki/b.md", "# B\n\nPears.\n")
    return Watcher(small_project)


def cancel(project: SmallProject) -> None:
    """A run that somebody cancels while it is queued."""
    run = unfinished_run(project, "wiki")
    project.instance.report_run_canceling(run)
    project.instance.report_run_canceled(run)


def test_a_launch_whose_queued_run_was_cancelled_is_repeated_and_in_the_end_paused(watcher: Watcher) -> None:
    for _ in range(5):
        assert watcher.launched() == ["wiki"]
        cancel(watcher.project)
    reason = watcher.said()
    assert reason.startswith("Launched nothing: ")
    assert "wiki paused since" in reason
    assert "cancel" in reason


def test_a_launch_whose_run_was_deleted_is_repeated(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    assert watcher.launched() == ["wiki"]
    run = unfinished_run(watcher.project, "wiki")
    assert "1 being ingested now" in watcher.said()
    watcher.project.instance.delete_run(run.run_id)
    assert watcher.said().startswith("Nothing changed")
    monkeypatch.setattr(files, "VANISHED_SECONDS", 0.0)
    assert watcher.launched() == ["wiki"]
    assert ingest_one(watcher.project, "wiki").succeeded
    assert watcher.said().startswith("Nothing changed")
    assert watcher.said().startswith("Nothing changed")


def test_a_source_whose_index_is_older_than_its_documents_is_launched_though_nothing_failed(watcher: Watcher) -> None:
    from rag_assets.definitions import defs

    watcher.launched()
    assert ingest_one(watcher.project, "wiki").succeeded
    assert watcher.said().startswith("Nothing changed")
    time.sleep(0.01)
    watcher.project.write("wiki/c.md", "# C\n\nPlums.\n")
    with watcher.project.open() as opened:
        assert behind_since(opened, "wiki") is None
    assert watcher.launched() == ["wiki"]
    half = defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection={dg.AssetKey("raw_documents")})
    assert half.execute_in_process(instance=watcher.project.instance, partition_key="wiki").success
    watcher.tick()
    watcher.cursor = None  # and with it goes that the launch is awaited
    with watcher.project.open() as opened:
        assert behind_since(opened, "wiki") is not None
    assert watcher.launched() == ["wiki"]
    assert ingest_one(watcher.project, "wiki").succeeded
    with watcher.project.open() as opened:
        assert behind_since(opened, "wiki") is None
    assert watcher.said().startswith("Nothing changed")


def test_a_healthy_source_that_is_resumed_is_looked_at_anew(watcher: Watcher) -> None:
    watcher.launched()
    assert ingest_one(watcher.project, "wiki").succeeded
    assert watcher.launched() == []
    with watcher.project.open() as opened:
        opened.ledger.record_watch(resumed(opened.ledger.watches()["wiki"], datetime.now(UTC)))
    assert watcher.launched() == ["wiki"]


def test_a_cancelled_run_waits_longer_each_time(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "FIRST_BACKOFF_SECONDS", 10.0)
    watcher.launched()
    cancel(watcher.project)
    assert "is tried again at" in watcher.said()
    assert rules.backoff(3) == timedelta(seconds=40)
