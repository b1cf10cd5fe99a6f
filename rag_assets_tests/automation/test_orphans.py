"""A run whose process was killed is ended; one whose process lives, or is elsewhere, is left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from rag_assets.automation.orphans import GRPC_TAG, HOST_TAG, PID_TAG, end_orphans, host_tags, orphans, process_tags
from rag_assets.config import SpendSettings
from rag_assets.definitions import defs
from rag_assets.ingestion import watch as rules
from rag_assets_tests.automation.ticks import Watcher, ingest_one, settle, unfinished_run
from rag_assets_tests.cli.command import FORGOTTEN, configure, rag_assets
from rag_assets_tests.conftest import SmallProject

STARTED = dg.DagsterRunStatus.STARTED


def start(project: SmallProject, pid: int, tags: dict[str, str]) -> dg.DagsterRun:
    """A run that says it started in the process `pid`."""
    run = unfinished_run(project, "wiki", tags=tags)
    project.instance.report_dagster_event(
        dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name), run.run_id
    )
    from dagster._core.events import EngineEventData

    project.instance.report_engine_event(f"Started process for run (pid: {pid}).", run, EngineEventData.in_process(pid))
    return run


def status(project: SmallProject, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = project.instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


@pytest.fixture
def project(small_project: SmallProject) -> SmallProject:
    small_project.configure("automation:\n  settle_seconds: 0\n", wiki="")
    small_project.write("wiki/a.md", "# A\n\nApples.\n")
    return small_project


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as running:
        yield running
        running.kill()


def test_the_run_of_a_killed_process_is_ended_and_its_source_and_the_release_go_on(
    project: SmallProject, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FIRST_BACKOFF_SECONDS", 0.0)
    run = start(project, process.pid, host_tags())
    assert status(project, run) == STARTED
    assert orphans(project.instance) == [], "its process lives"
    with project.open() as opened:
        limits = SpendSettings(month_usd=1.0)
        hour = timedelta(hours=1)
        opened.ledger.reserve("embeddings", 1.0, model="m", run_id=run.run_id, limits=limits, expires_in=hour)
    process.kill()
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)  # it is a zombie until somebody waits for it
    assert settle(project).skip_reason is not None
    assert status(project, run) == dg.DagsterRunStatus.FAILURE
    with project.open() as opened:
        assert opened.ledger.left_this_month(limits, "embeddings") == 1.0, "what its calls set aside comes back"
    watcher = Watcher(project)
    assert watcher.launched() == ["wiki"]
    process.wait()
    run = start(project, process.pid, {GRPC_TAG: json.dumps({"host": "localhost", "socket": "/gone"})})
    watcher.tick()
    assert status(project, run) == dg.DagsterRunStatus.FAILURE
    run = start(project, process.pid, host_tags())
    project.instance.report_run_canceling(run)
    assert [orphan.run.run_id for orphan in end_orphans(project.instance)] == [run.run_id]
    assert status(project, run) == dg.DagsterRunStatus.CANCELED


def test_runs_of_other_machines_and_runs_without_a_known_process_are_left_alone(
    project: SmallProject, process: subprocess.Popen[bytes]
) -> None:
    process.kill()
    process.wait()
    start(project, process.pid, {HOST_TAG: "another-machine"})
    start(project, process.pid, {GRPC_TAG: json.dumps({"host": "code", "port": 4000})})
    start(project, process.pid, {})
    unfinished_run(project, "wiki", tags=host_tags())
    assert end_orphans(project.instance) == []


def test_another_process_with_the_same_id_does_not_stand_for_it(
    project: SmallProject, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    start(project, process.pid, host_tags())
    monkeypatch.setattr("rag_assets.automation.orphans.CLOCK_SLACK_SECONDS", -3600.0)  # as if it began an hour later
    assert [orphan.pid for orphan in orphans(project.instance)] == [process.pid]


def test_a_run_in_this_process_says_where_it_ran(project: SmallProject) -> None:
    done = project.instance.get_run_by_id(ingest_one(project, "wiki").run_id)
    assert done is not None
    assert done.tags.items() >= process_tags().items()


def test_a_run_that_died_before_its_first_event_is_ended(
    project: SmallProject, process: subprocess.Popen[bytes]
) -> None:
    tags = {**host_tags(), PID_TAG: str(process.pid)}
    run = project.instance.create_run_for_job(defs.resolve_job_def("ingest_source"), tags=tags)
    other = project.instance.create_run_for_job(defs.resolve_job_def("ingest_source"), tags=host_tags())
    assert run.status == dg.DagsterRunStatus.NOT_STARTED
    assert orphans(project.instance) == [], "its process lives"
    process.kill()
    process.wait()
    assert [orphan.run.run_id for orphan in end_orphans(project.instance)] == [run.run_id]
    assert status(project, run) == dg.DagsterRunStatus.FAILURE
    assert status(project, other) == dg.DagsterRunStatus.NOT_STARTED, "nobody knows its process"


@pytest.mark.slow
def test_doctor_names_the_run_of_a_killed_command_and_the_next_command_ends_it(tmp_path: Path) -> None:
    configure(tmp_path, "wiki")
    (tmp_path / "wiki/first.md").write_text("# First\n\nApples.\n")
    assert rag_assets(tmp_path, "ingest").code == 0  # makes the instance
    for number in range(400):
        (tmp_path / f"wiki/{number:03}.md").write_text(f"# {number}\n\nWords of page {number}, and others.\n" * 40)
    environment = {key: value for key, value in os.environ.items() if key not in FORGOTTEN}
    home = str(tmp_path / ".rag_assets/dagster")
    with subprocess.Popen(
        [sys.executable, "-m", "rag_assets.cli.main", "ingest"], cwd=tmp_path, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as command:  # fmt: skip
        while not _in_first_step(home):
            assert command.poll() is None
            time.sleep(0.1)
        command.send_signal(signal.SIGKILL)
    findings = rag_assets(tmp_path, "doctor", "--json").json
    found = next(finding for finding in findings if finding["name"].startswith("ingest_source of wiki, run "))
    assert not found["ok"]
    assert found["detail"].endswith(f"its process {command.pid} is gone")
    assert "rag-assets ingest" in found["fix"]
    assert rag_assets(tmp_path, "ingest").code == 0
    names = [finding["name"] for finding in rag_assets(tmp_path, "doctor", "--json").json if not finding["ok"]]
    assert not [name for name in names if "wiki" in name], names
    with dg.DagsterInstance.from_config(home) as instance:
        statuses = [run.status.value for run in instance.get_runs(dg.RunsFilter(job_name="ingest_source"))]
    assert statuses == ["SUCCESS", "FAILURE", "SUCCESS"]


def _in_first_step(home: str) -> bool:
    with dg.DagsterInstance.from_config(home) as instance:
        runs = instance.get_runs(dg.RunsFilter(statuses=[STARTED]))
        return bool(runs and instance.all_logs(runs[0].run_id, of_type=dg.DagsterEventType.STEP_START))
