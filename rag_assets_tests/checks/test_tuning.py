"""The checks of the training file display the verdicts, stop the run, and are not what holds: the verdicts are."""

from __future__ import annotations

import json
from typing import Any

import dagster as dg
import pytest

from rag_assets.assets import fine_tuning_job, training_examples, training_file
from rag_assets.checks.tuning import DESCRIPTIONS, TUNING_CHECKS
from rag_assets.evaluation.question_table import sync_questions
from rag_assets.evaluation.questions import make_question
from rag_assets.resources.project import ProjectResource
from rag_assets.tuning.gates import BUDGET, FORMAT, LEAKAGE, TRAINING_GATES, judge_training_file
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import ingest
from rag_assets_tests.tuning.files import QUESTIONS, example, write_clean

RESOURCES: dict[str, Any] = {"project": ProjectResource()}
CHECKS_ALONE = dg.AssetSelection.checks(*TUNING_CHECKS)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run(project: SmallProject, *definitions: Any, **rest: Any) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        definitions, instance=project.instance, resources=RESOURCES, raise_on_error=False, run_config=QUIET, **rest
    )


def test_every_gate_has_its_check() -> None:
    assert tuple(DESCRIPTIONS) == TRAINING_GATES


def refusal_of(result: dg.ExecuteInProcessResult) -> str:
    """The sentence that the run failed with."""
    errors = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return str(errors[0].user_failure_data) if errors else ""


def shown(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def figure(check: dg.AssetCheckEvaluation, name: str) -> Any:
    return check.metadata[name].value


def plant_leak(project: SmallProject) -> None:
    """A golden question that judges, and that the examples of `QUESTIONS` hold in other words."""
    with project.open() as opened:
        leaked = make_question("golden-tea", "Green tea is brewed at how many degrees?", answerable=False)
        assert leaked.split == "gate"
        sync_questions(opened.store.golden_questions(), [leaked])


def test_a_job_that_is_started_alone_gets_past_no_gate(small_project: SmallProject) -> None:
    small_project.configure("tuning: {provider: openai, base_model: gpt-4o-mini}")
    nothing = shown(run(small_project, training_file, *TUNING_CHECKS, selection=CHECKS_ALONE))
    assert len(nothing) == len(TRAINING_GATES)
    assert all(not check.passed and "No training file" in str(check.description) for check in nothing.values())

    plant_leak(small_project)
    with small_project.open() as project:
        file = write_clean(project)
        project.ledger.record_stage_run("training_file", "", file.file_id, run_id="run")
    assert "no verdict of the gate 'training_format'" in refusal_of(run(small_project, fine_tuning_job))
    with small_project.open() as project:
        judge_training_file(project, file)
    checks = shown(run(small_project, training_file, *TUNING_CHECKS, selection=CHECKS_ALONE))
    assert [name for name, check in checks.items() if not check.passed] == [LEAKAGE]
    assert "is golden-tea" in str(checks[LEAKAGE].description)
    assert figure(checks[BUDGET], "estimated_cost_usd") > 0
    assert figure(checks[FORMAT], "lines") == len(QUESTIONS)
    assert "'training_leakage' failed" in refusal_of(run(small_project, fine_tuning_job))
    with small_project.open() as project:
        sync_questions(project.store.golden_questions(), [])
    assert "no verdict of the gate 'training_leakage'" in refusal_of(run(small_project, fine_tuning_job))
    with small_project.open() as project:
        assert project.ledger.tuning_jobs() == [], "nothing was even wished for"


@pytest.mark.slow
def test_a_leak_stops_the_run(small_project: SmallProject) -> None:
    settings = "examples: {cellar: {kind: chat, files: [cellar.jsonl]}}\n"
    small_project.configure(f"{settings}tuning: {{provider: openai, base_model: gpt-4o-mini}}", bar="")
    small_project.write("bar/tea.md", "# Tea\n\nGreen tea is brewed at eighty degrees.\n")
    lines = [json.dumps(example(question, f"Answer {n}.")) for n, question in enumerate(QUESTIONS)]
    small_project.write("cellar.jsonl", "\n".join(lines))
    assert all(one.succeeded for one in ingest(small_project).runs)
    small_project.instance.add_dynamic_partitions("example_sets", ["cellar"])
    assert run(small_project, training_examples, partition_key="cellar").success
    plant_leak(small_project)

    stopped = run(small_project, training_file, fine_tuning_job, *TUNING_CHECKS)
    assert [name for name, check in shown(stopped).items() if not check.passed] == [LEAKAGE]
    started = {event.step_key for event in stopped.all_events if event.is_step_start}
    assert "training_file" in started and "fine_tuning_job" not in started
    with small_project.open() as project:
        sync_questions(project.store.golden_questions(), [])

    mended = run(small_project, training_file, *TUNING_CHECKS)
    assert mended.success and all(check.passed for check in shown(mended).values())
    figures: Any = mended.get_asset_materialization_events()[0].materialization.metadata
    assert figures["leaks"].value == 0 and figures["estimated_cost_usd"].value > 0
    assert figures["gates_failed"].value == 0
