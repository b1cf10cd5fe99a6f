"""When a tuning starts without a person: once for what changed, on a good snapshot, and never against a gate."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import dagster as dg
import pytest

from rag_assets.assets import sync_example_sets
from rag_assets.automation import schedules
from rag_assets.automation.runs import run_job
from rag_assets.automation.sensors import examples, start_tuning
from rag_assets.automation.tuning_start import problems
from rag_assets.ledger import TuningWish
from rag_assets.ledger.tuning_jobs import FAILED, REFUSED
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import ingest

SETS = """
examples:
  support: {files: ["support.jsonl"]}
automation: {settle_seconds: 0}
"""


@pytest.fixture
def project(small_project: SmallProject) -> SmallProject:
    small_project.configure(SETS, wiki="")
    small_project.write("wiki/limits.md", "# Limits\n\nThe gateway waits forty seconds.\n")
    _write(small_project, "How long does the gateway wait?")
    return small_project


def _write(project: SmallProject, *questions: str) -> None:
    rows = [json.dumps({"question": question, "accepted": ["forty seconds"]}) for question in questions]
    (project.root / "support.jsonl").write_text("\n".join(rows) + "\n", "utf-8")


def _collect(project: SmallProject) -> None:
    from rag_assets.definitions import defs

    with project.open() as opened:
        sync_example_sets(project.instance, opened)
        (request,) = examples.collecting_tick(opened, project.instance).run_requests or []
    job = defs.resolve_job_def("collect_examples")
    assert run_job(project.instance, job, "set", partition_key=request.partition_key, tags=request.tags).succeeded


def _tick(project: SmallProject) -> dg.SensorResult:
    with project.open() as opened:
        return start_tuning.tuning_tick(opened, project.instance)


def _said(project: SmallProject) -> str:
    result = _tick(project)
    assert not result.run_requests
    assert result.skip_reason is not None
    return str(result.skip_reason.skip_message)


def _on_monday(project: SmallProject) -> list[str]:
    """What the schedule says a minute before its time and at its time: why it skips, or that it is due."""
    said = []
    text = project.config_file.read_text("utf-8")
    project.config_file.write_text(f"{text}\ntuning: {{start: {{cron: 0 6 * * 1}}}}\n", "utf-8")
    with project.open() as opened:
        for minute in (datetime(2026, 6, 1, 5, 59, tzinfo=UTC), datetime(2026, 6, 1, 6, 0, tzinfo=UTC)):
            result = schedules.tuning_at(opened, project.instance, minute)
            said.append("due" if isinstance(result, dg.RunRequest) else str(result.skip_message))
    project.config_file.write_text(text, "utf-8")
    assert said[0] == "Not due. Next: tuning at 2026-06-01 06:00 UTC."
    return said[1:]


def test_a_tuning_waits_for_examples_and_for_a_snapshot_that_passed(project: SmallProject) -> None:
    assert _said(project).startswith("There is no judged snapshot to train on.")
    assert _on_monday(project)[0].startswith("Due since 2026-06-01T06:00:00+00:00. There is no judged snapshot")
    assert all(run.succeeded for run in ingest(project).runs)
    assert _said(project) == "No set of examples was collected yet."
    _collect(project)
    assert _on_monday(project) == ["due"]
    assert len(_tick(project).run_requests or []) == 1
    with project.open() as opened:
        left = opened.ledger.begin_tuning(TuningWish("key", "openai", "gpt-4o-mini", "file", 0))
    assert len(_tick(project).run_requests or []) == 1, "an attempt that its run left is gone on with"
    with project.open() as opened:
        assert opened.ledger.claim_tuning_call(left.intent_id, None)
    assert _said(project) == f"The job {left.intent_id} is under way.", "an answer may still come"


def test_what_a_gate_refused_waits_for_a_change_and_doctor_says_so(project: SmallProject) -> None:
    from rag_assets.definitions import defs

    assert all(run.succeeded for run in ingest(project).runs)
    _collect(project)
    (request,) = _tick(project).run_requests or []
    run = run_job(project.instance, defs.resolve_job_def("tune_model"), "tuning", tags=request.tags)
    assert not run.succeeded
    assert "Refused at " in _said(project)
    assert "nothing was paid" in _said(project)
    with project.open() as opened:
        (problem,) = problems(opened, project.instance)
        assert problem.name == "tuning"
        assert opened.ledger.tuning_jobs() == []
    _write(project, "How long does the gateway wait?", "How many seconds does it wait?")
    _collect(project)
    assert len(_tick(project).run_requests or []) == 1


def test_jobs_that_end_badly_in_a_row_pause_the_tuning(project: SmallProject) -> None:
    assert all(run.succeeded for run in ingest(project).runs)
    _collect(project)
    with project.open() as opened:
        for number in range(5):
            wish = TuningWish(f"key {number}", "openai", "gpt-4o-mini", "file", 0)
            job = opened.ledger.begin_tuning(wish)
            opened.ledger.end_tuning(job.intent_id, FAILED, error="no capacity")
        job = opened.ledger.begin_tuning(TuningWish("another", "openai", "gpt-4o-mini", "file", 0))
        opened.ledger.end_tuning(job.intent_id, REFUSED, error="a budget says so, and nothing of the provider")
    assert _said(project) == (
        "Paused: the last 5 jobs ended badly, the newest with: no capacity. To go on, run: rag-assets tune"
    )


def test_off_is_off(project: SmallProject) -> None:
    with project.config_file.open("a", encoding="utf-8") as file:
        file.write("tuning: {start: {examples_changed: false}}\n")
    assert _said(project) == "Off: tuning.start.examples_changed is false in the configuration."
