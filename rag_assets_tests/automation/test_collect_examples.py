"""The sensor that collects sets of examples: once for each change, never for a mistake that nobody mended."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import dagster as dg
import pytest

from rag_assets.assets import sync_example_sets
from rag_assets.automation.runs import run_job
from rag_assets.automation.sensors import examples
from rag_assets.errors import ProviderUnavailableError
from rag_assets_tests.conftest import SmallProject

SETS = """
examples:
  support: {files: ["support.jsonl"]}
  quiet: {files: ["quiet.jsonl"], watch: false}
"""


@pytest.fixture
def project(small_project: SmallProject) -> SmallProject:
    small_project.configure(SETS)
    _write(small_project, "How long does it wait?")
    (small_project.root / "quiet.jsonl").write_text(_line("Why?"), "utf-8")
    with small_project.open() as opened:
        sync_example_sets(small_project.instance, opened)
    return small_project


def _line(question: str) -> str:
    return json.dumps({"question": question, "accepted": ["forty seconds"]}) + "\n"


def _write(project: SmallProject, question: str) -> None:
    file = project.root / "support.jsonl"
    file.write_text(_line(question), "utf-8")
    os.utime(file, ns=(0, sum(map(ord, question))))


def _tick(project: SmallProject) -> dg.SensorResult:
    with project.open() as opened:
        return examples.collecting_tick(opened, project.instance)


def _collect_as_asked(project: SmallProject) -> bool:
    from rag_assets.definitions import defs

    (request,) = _tick(project).run_requests or []
    job = defs.resolve_job_def("collect_examples")
    return run_job(project.instance, job, "set", partition_key=request.partition_key, tags=request.tags).succeeded


def _said(project: SmallProject) -> str:
    result = _tick(project)
    assert not result.run_requests
    assert result.skip_reason is not None
    return str(result.skip_reason.skip_message)


def test_a_set_is_collected_once_for_each_change_also_when_it_changes_back(project: SmallProject) -> None:
    assert _collect_as_asked(project)
    assert _said(project) == "Nothing changed in 1 sets of examples."
    for question in ("How long does it take?", "How long does it wait?"):
        _write(project, question)
        assert _collect_as_asked(project)
        with project.open() as opened:
            assert opened.store.training_examples("support").rows(columns=["prompt"])["prompt"].to_pylist() == [
                question
            ]


def test_a_mistake_waits_for_a_change_and_loses_nothing(project: SmallProject) -> None:
    assert _collect_as_asked(project)
    (project.root / "support.jsonl").write_text("not JSON\n", "utf-8")
    assert not _collect_as_asked(project)
    assert _said(project).startswith("support: Refused at ")
    assert "support.jsonl" in _said(project)
    with project.open() as opened:
        assert opened.store.training_examples("support").count() == 1
    _write(project, "How long?")
    assert _collect_as_asked(project)


def test_failures_in_a_row_pause_a_set(project: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ProviderUnavailableError("The disk of the examples is away.")

    monkeypatch.setattr("rag_assets.tuning.examples.read_examples", fail)
    monkeypatch.setattr("rag_assets.automation.attempts.backoff", lambda failures: timedelta(0))
    monkeypatch.setattr("dagster._core.definitions.policy.random", lambda: 0.0)
    for _ in range(5):
        assert not _collect_as_asked(project)
    assert "Failed 5 times in a row and paused" in _said(project)
