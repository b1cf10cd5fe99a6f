"""From a file that is saved to a released index that answers from it, with the real daemon."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import dagster as dg
import pytest

from rag_assets_tests.cli.command import configure, rag_assets
from rag_assets_tests.cli.test_dev import family
from rag_assets_tests.integration.daemon import START_SECONDS, Running, daemon


def write(root: Path, uri: str, text: str) -> None:
    (root / uri).write_text(f"# {Path(uri).stem}\n\n{text}\n", "utf-8")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_file_that_is_saved_is_answered_from_and_one_that_is_deleted_is_not(tmp_path: Path) -> None:
    configure(tmp_path, "wiki")
    write(tmp_path, "wiki/a.md", "The library opens at nine.")
    with daemon(tmp_path) as running:
        running.wait_for(lambda: running.finds("library", "opens at nine"), "the first release", seconds=START_SECONDS)
        write(tmp_path, "wiki/b.md", "The canteen closes at three.")
        running.wait_for(lambda: running.finds("canteen", "closes at three"), "from a saved file to its answer")
        answer = rag_assets(tmp_path, "ask", "When does the canteen close?", "--json").json
        assert "three" in answer["answer"]
        (tmp_path / "wiki/b.md").unlink()
        running.wait_for(lambda: not running.finds("canteen", "closes at three"), "until a deleted file is gone")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_sources_give_one_release_and_one_that_fails_holds_nobody_back(tmp_path: Path) -> None:
    names = ("handbook", "news", "wiki")
    configure(tmp_path, *names)
    for name in names:
        write(tmp_path, f"{name}/a.md", f"The {name} begins.")
    with daemon(tmp_path) as running:
        running.wait_for(lambda: running.serving() is not None, "the first release", seconds=START_SECONDS)
        running.wait_for(running.is_idle, "the end of all runs")
        _three_sources_at_once(running, names)
        _a_source_that_fails(running)
        _a_deletion_while_a_gate_fails(running)
        _a_report_over_rest(running)
    findings = rag_assets(tmp_path, "doctor", "--json").json
    paused = next(finding for finding in findings if finding["name"] == "watch of wiki")
    assert not paused["ok"]
    assert "token_budget" in paused["detail"]
    assert paused["fix"].endswith("rag-assets sources resume wiki")
    assert rag_assets(tmp_path, "sources", "resume", "wiki", "--json").json == {"source": "wiki", "resumed": True}


def _three_sources_at_once(running: Running, names: tuple[str, ...]) -> None:
    releases, ingestions = len(running.runs("release_index")), len(running.runs("ingest_source"))
    for name in names:
        write(running.root, f"{name}/together.md", f"The {name} says marmalade.")
    running.wait_for(
        lambda: all(running.finds("marmalade", f"The {name} says") for name in names), "the release of three sources"
    )
    running.wait_for(running.is_idle, "the end of all runs")
    assert len(running.runs("release_index")) - releases == 1
    assert len(running.runs("ingest_source")) - ingestions == 3


def _a_source_that_fails(running: Running) -> None:
    file = running.root / "rag_assets.yaml"
    file.write_text(file.read_text().replace("    path: wiki\n", "    path: wiki\n    token_budget: 1\n"))
    write(running.root, "news/alone.md", "The news says rhubarb.")
    running.wait_for(lambda: running.finds("rhubarb", "The news says"), "a release beside a source that fails")
    assert running.finds("marmalade", "The wiki says"), "the source that failed keeps what it had"


def _a_deletion_while_a_gate_fails(running: Running) -> None:
    (running.root / "wiki/together.md").unlink()
    running.wait_for(lambda: not running.finds("marmalade", "The wiki says"), "a deletion while a gate fails")
    assert running.runs("ingest_source")[-1].tags["dagster/partition"] == "wiki"
    running.wait_for(running.is_idle, "the end of all runs")


def _a_report_over_rest(running: Running) -> None:
    before = len(running.runs("ingest_source"))
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.port}/report_asset_materialization/source_updates",
        data=json.dumps({"partition": "handbook"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
    running.wait_for(lambda: len(running.runs("ingest_source")) > before, "the run that a report starts")
    assert running.runs("ingest_source")[-1].tags["rag_assets/launched_by"] == "report on source_updates"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_was_under_way_when_everything_was_killed_is_ingested_after_the_next_start(tmp_path: Path) -> None:
    configure(tmp_path, "wiki")
    write(tmp_path, "wiki/a.md", "The library opens at nine.")
    with daemon(tmp_path) as running:
        running.wait_for(lambda: running.finds("library", "opens at nine"), "the first release", seconds=START_SECONDS)
        running.wait_for(running.is_idle, "the end of all runs")
        for number in range(150):
            write(tmp_path, f"wiki/{number:03}.md", f"Page {number} speaks of canteens at length. " * 60)
        write(tmp_path, "wiki/last.md", "The canteen closes at three.")
        running.wait_for(lambda: _ingestion_has_begun(running), "the ingestion")
        _kill_everything(running)
    assert running.runs("ingest_source")[-1].status == dg.DagsterRunStatus.STARTED
    findings = rag_assets(tmp_path, "doctor", "--json").json
    assert [one for one in findings if one["name"].startswith("ingest_source of wiki, run ")], findings
    with daemon(tmp_path) as running:
        running.wait_for(
            lambda: running.finds("canteen closes", "closes at three"), "what was lost", seconds=2 * START_SECONDS
        )


def _kill_everything(running: Running) -> None:
    while processes := list(family(running.process.pid)):
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        running.process.poll()
        time.sleep(0.1)


def _ingestion_has_begun(running: Running) -> bool:
    run = running.runs("ingest_source")[-1]
    if run.status != dg.DagsterRunStatus.STARTED:
        return False
    with dg.DagsterInstance.from_config(str(running.root / ".rag_assets/dagster")) as instance:
        return bool(instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START))
