"""Tuning jobs are submitted and finished by runs that wait for nothing, and followed by a sensor in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from rag_assets.assets import fine_tuned_model, fine_tuning_job
from rag_assets.assets.fine_tuning import INTENT_TAG
from rag_assets.automation.runs import RunOutcome, run_job
from rag_assets.automation.sensors import tuning
from rag_assets.automation.tuning_jobs import finish_tuning
from rag_assets.automation.tuning_start import problems
from rag_assets.ingestion import watch as rules
from rag_assets.ledger import TuningWish
from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.tuning_jobs import SUBMITTED
from rag_assets.resources.project import ProjectResource
from rag_assets.tuning import polling
from rag_assets_tests.automation.ticks import said
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.fine_tuning_server import Fault, FineTuningServer, fine_tuning_server
from rag_assets_tests.tuning.drills import configure, passed_file

__all__ = ["fine_tuning_server"]


@pytest.fixture
def tuned(
    small_project: SmallProject, fine_tuning_server: FineTuningServer, monkeypatch: pytest.MonkeyPatch
) -> SmallProject:
    """A training file that passed its gates; every tick asks about every job."""
    monkeypatch.setattr(polling, "SHORTEST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(polling, "PAUSE_SHARE", 0.0)
    configure(small_project, fine_tuning_server)
    with small_project.open() as project:
        file = passed_file(project)
        project.ledger.record_stage_run("training_file", "", file.file_id, run_id=None)
    return small_project


def run(project: SmallProject, asset: dg.AssetsDefinition, **tags: str) -> RunOutcome:
    """A run of one asset under the name of the job that has it."""
    name = "tune_model" if asset is fine_tuning_job else finish_tuning.name
    defs = dg.Definitions(
        assets=[fine_tuning_job, fine_tuned_model],
        jobs=[dg.define_asset_job(name, dg.AssetSelection.assets(asset), executor_def=dg.in_process_executor)],
        resources={"project": ProjectResource()},
    )
    return run_job(project.instance, defs.resolve_job_def(name), name, tags=tags)


def tick(project: SmallProject) -> dg.SensorResult:
    with project.open() as opened:
        return tuning.tick(opened, project.instance)


def observed(result: dg.SensorResult) -> list[dict[str, Any]]:
    return [{name: value.value for name, value in event.metadata.items()} for event in result.asset_events or []]


def finish(project: SmallProject, request: dg.RunRequest) -> RunOutcome:
    return run(project, fine_tuned_model, **request.tags)


def test_a_job_is_followed_to_its_model(tuned: SmallProject, fine_tuning_server: FineTuningServer) -> None:
    server = fine_tuning_server
    server.polls = 3
    begun = run(tuned, fine_tuning_job)
    assert begun.succeeded, begun.error
    told = begun.materialized["fine_tuning_job"]
    assert (told["job_id"], told["how"], told["attempt"], told["seed"]) == ("ftjob-1", "submitted", 1, 0)
    assert told["job"] == f"{server.base_url}/fine_tuning/jobs/ftjob-1"
    assert told["n_epochs"] == "the provider's" and told["estimated_cost_usd"] > 0
    early = run(tuned, fine_tuned_model)
    assert not early.succeeded and "there is no model yet" in str(early.error)

    [progress] = observed(tick(tuned))
    assert (progress["state"], progress["step"]) == ("submitted", 2)
    assert progress["events"].count("training loss") == 2
    assert progress["job"] == told["job"]
    result = tick(tuned)
    [ended] = observed(result)
    assert ended["events"].count("training loss") == 1, "each event is observed once"
    assert (ended["state"], ended["model_id"]) == ("succeeded", "ft:gpt-4o-mini:org::ftjob-1")
    [request] = result.run_requests or []
    assert request.run_key == f"{told['intent']}:0"

    done = finish(tuned, request)
    assert done.succeeded, done.error
    model = done.materialized["fine_tuned_model"]
    assert model["model_id"] == "ft:gpt-4o-mini:org::ftjob-1"
    assert (model["trained_tokens"], model["n_epochs"], model["cost_usd"]) == (4_800, 3, pytest.approx(0.0144))
    assert model["curves"].startswith("![loss and accuracy by step](data:image/png;base64,iVBOR")
    assert model["best_valid_loss"] == pytest.approx(0.2)
    assert said(tick(tuned)) == "No tuning job is open."
    assert run(tuned, fine_tuning_job).materialized["fine_tuning_job"]["how"] == "reused"
    assert len(server.jobs) == 1


@pytest.mark.parametrize(("outcome", "reason"), [("failed", "nobody likes"), ("model_none", "names no model")])
def test_a_job_without_a_model_is_a_failed_run_with_the_reason_and_is_taken_in_once(
    tuned: SmallProject,
    fine_tuning_server: FineTuningServer,
    monkeypatch: pytest.MonkeyPatch,
    outcome: str,
    reason: str,
) -> None:
    monkeypatch.setattr(polling, "NO_MODEL_GRACE", timedelta(0))
    fine_tuning_server.outcome = outcome  # type: ignore[assignment]
    run(tuned, fine_tuning_job)
    [request] = tick(tuned).run_requests or []
    ended = finish(tuned, request)
    assert not ended.succeeded and reason in str(ended.error)
    assert "fine_tuned_model" not in ended.materialized
    assert said(tick(tuned)) == "No tuning job is open."


def test_a_run_that_could_not_start_is_launched_again_and_one_under_way_is_not(
    tuned: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FIRST_BACKOFF_SECONDS", 0.0)
    run(tuned, fine_tuning_job)
    [request] = tick(tuned).run_requests or []
    assert [one.run_key for one in tick(tuned).run_requests or []] == [request.run_key], "the sensor was reset"
    from rag_assets.definitions import defs

    started = tuned.instance.create_run_for_job(defs.resolve_job_def(finish_tuning.name), tags=dict(request.tags))
    assert "is being taken in" in said(tick(tuned))
    tuned.instance.report_run_failed(started, "The launcher was out of memory.")
    with tuned.config_file.open("a", encoding="utf-8") as settings:
        settings.write("automation: {pause_after_failures: 1}\n")
    gave_up = f"Gave up on ftjob-1 after 1 runs that failed. Launch the job {finish_tuning.name}."
    assert said(tick(tuned)) == gave_up
    with tuned.open() as project:
        assert [one.said for one in problems(project, tuned.instance)] == [gave_up]
    tuned.config_file.write_text(tuned.config_file.read_text("utf-8").replace("failures: 1", "failures: 5"), "utf-8")
    [again] = tick(tuned).run_requests or []
    assert again.run_key == f"{request.tags[INTENT_TAG]}:1"
    assert finish(tuned, again).succeeded
    assert said(tick(tuned)) == "No tuning job is open."


def test_an_unreachable_provider_is_said_and_holds_nothing_back(
    tuned: SmallProject, fine_tuning_server: FineTuningServer
) -> None:
    run(tuned, fine_tuning_job)
    fine_tuning_server.fail("retrieve", Fault(500))
    assert "status 500" in said(tick(tuned))
    assert tick(tuned).run_requests


def test_long_jobs_are_asked_about_less_often(small_project: SmallProject) -> None:
    wish = TuningWish("k" * 32, "openai", "gpt-4o-mini", "f" * 32, seed=0)
    now = utc_now()
    with small_project.open() as project:
        begun = project.ledger.begin_tuning(wish)
        project.ledger.submit_tuning(begun.intent_id, "ftjob-1", now + timedelta(hours=5))
        job = project.ledger.note_tuning(begun.intent_id)
    assert job.state == SUBMITTED and job.submitted_at is not None
    for hours, pause_seconds in ((0, 4.0), (1, 180.0), (4, 300.0)):
        later = now + timedelta(hours=hours)
        asked = replace(job, checked_at=later)
        assert not polling.is_due(asked, later + timedelta(seconds=0.95 * pause_seconds))
        assert polling.is_due(asked, later + timedelta(seconds=1.1 * pause_seconds))


def test_the_intent_of_the_run_is_the_one_that_is_taken_in(
    tuned: SmallProject, fine_tuning_server: FineTuningServer
) -> None:
    run(tuned, fine_tuning_job)
    [request] = tick(tuned).run_requests or []
    with tuned.open() as project:
        file = passed_file(project, "autumn")
        project.ledger.record_stage_run("training_file", "", file.file_id, run_id=None)
    assert run(tuned, fine_tuning_job).materialized["fine_tuning_job"]["job_id"] == "ftjob-2"
    done = run(tuned, fine_tuned_model, **{INTENT_TAG: request.tags[INTENT_TAG]})
    assert done.materialized["fine_tuned_model"]["job_id"] == "ftjob-1"
