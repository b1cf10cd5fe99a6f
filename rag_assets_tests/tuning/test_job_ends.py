"""How jobs end: a model, the provider's reason, a limit, a person or a budget; and what is paid for each."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rag_assets.cli.main import app
from rag_assets.errors import (
    BudgetError,
    ConfigurationError,
    GateError,
    InvalidRequestError,
    ProviderUnavailableError,
    TuningError,
)
from rag_assets.ledger import TuningWish
from rag_assets.ledger.columns import utc_now
from rag_assets.project import Project
from rag_assets.tuning import polling
from rag_assets.tuning.collecting import collect
from rag_assets.tuning.gates import judge_training_file, require_training_file
from rag_assets.tuning.jobs import submit
from rag_assets.tuning.polling import cancel, poll, wait_until_ended
from rag_assets.tuning.training_cost import TrainingCost
from rag_assets.tuning.training_file import TrainingFile
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.fine_tuning_server import Fault, FineTuningServer, fine_tuning_server
from rag_assets_tests.tuning.drills import configure, opened, passed_file

__all__ = ["fine_tuning_server"]


@pytest.fixture
def tuned(small_project: SmallProject, fine_tuning_server: FineTuningServer) -> SmallProject:
    configure(small_project, fine_tuning_server)
    return small_project


@pytest.mark.parametrize(
    ("outcome", "state", "reason"),
    [
        ("failed", "failed", r"a line that nobody likes\. \(exceeded_quota\)"),
        pytest.param("cancelled", "cancelled", "at the provider", marks=pytest.mark.slow),
        pytest.param("no_model", "failed", "names no model", marks=pytest.mark.slow),
        ("model_none", "failed", "names no model"),
    ],
)
def test_a_job_without_a_model_says_why_and_may_be_tried_again(
    tuned: SmallProject,
    fine_tuning_server: FineTuningServer,
    monkeypatch: pytest.MonkeyPatch,
    outcome: str,
    state: str,
    reason: str,
) -> None:
    monkeypatch.setattr(polling, "NO_MODEL_GRACE", timedelta(0))
    fine_tuning_server.outcome = outcome  # type: ignore[assignment]
    with opened(tuned) as (project, file):
        job = wait_until_ended(project, submit(project, file).job.intent_id, pause_seconds=0)
        assert (job.state, job.model_id) == (state, None)
        with pytest.raises(TuningError, match=reason):
            collect(project, job)
        assert project.ledger.tuned_models() == []
        assert project.ledger.tuning_to_collect() == []
        assert submit(project, file).job.attempt == 2
    assert len(fine_tuning_server.jobs) == 2


def test_the_time_limit_cancels_and_expires(small_project: SmallProject, fine_tuning_server: FineTuningServer) -> None:
    configure(small_project, fine_tuning_server, ", time_limit_hours: 0.0000001")
    fine_tuning_server.outcome = "never"
    fine_tuning_server.fail("cancel", *[Fault(500)] * 3)
    with opened(small_project) as (project, file):
        begun = submit(project, file).job
        with pytest.raises(ProviderUnavailableError):
            poll(project, begun)
        assert project.ledger.tuning_jobs()[0].is_open, "it ends when its provider says that it ended"
        job = poll(project, begun).job
        assert (job.state, fine_tuning_server.jobs["ftjob-1"]["status"]) == ("expired", "cancelled")
        with pytest.raises(TuningError, match="expired: It took longer"):
            collect(project, job)


@pytest.mark.slow
def test_a_job_that_its_provider_lost_ends_with_its_time(
    small_project: SmallProject, fine_tuning_server: FineTuningServer
) -> None:
    configure(small_project, fine_tuning_server)
    with opened(small_project) as (project, file):
        job = submit(project, file).job
        lost = fine_tuning_server.jobs.pop("ftjob-1")
        with pytest.raises(InvalidRequestError):
            poll(project, job)
        late = replace(job, deadline=utc_now())
        assert poll(project, late).job.state == "expired"
        assert project.ledger.open_reservations() == []
    assert lost["status"] == "validating_files"


@pytest.mark.slow
def test_a_person_cancels_by_either_id(tuned: SmallProject, fine_tuning_server: FineTuningServer) -> None:
    fine_tuning_server.outcome = "never"
    with opened(tuned) as (project, file):
        job = submit(project, file).job
        assert job.job_id is not None
        assert cancel(project, job.job_id).error == "Cancelled by a person."
        with pytest.raises(TuningError, match="has ended: cancelled"):
            cancel(project, job.intent_id)
        with pytest.raises(TuningError, match="no tuning job 'ftjob-9'"):
            cancel(project, "ftjob-9")
    assert fine_tuning_server.jobs["ftjob-1"]["status"] == "cancelled"


@pytest.mark.slow
def test_a_job_that_goes_on_is_no_model(tuned: SmallProject, fine_tuning_server: FineTuningServer) -> None:
    fine_tuning_server.outcome = "never"
    with opened(tuned) as (project, file):
        job = submit(project, file).job
        with pytest.raises(TuningError, match=r"ftjob-1 goes on \(running\); there is no model yet"):
            collect(project, job)
        assert project.ledger.tuned_models() == []


def test_events_are_seen_once(tuned: SmallProject, fine_tuning_server: FineTuningServer) -> None:
    fine_tuning_server.polls, fine_tuning_server.page_size = 8, 3
    seen: list[str] = []
    with opened(tuned) as (project, file):
        job = submit(project, file).job
        while True:
            polled = poll(project, job)
            seen += [event.event_id for event in polled.events]
            job = polled.job
            if not job.is_open:
                break
        assert job.details["progress"]["step"] == 8
        assert poll(project, job).events == ()
    assert seen == [event["id"] for event in fine_tuning_server.jobs["ftjob-1"]["_events"]]


def test_a_model_that_is_gone_is_tuned_anew(tuned: SmallProject, fine_tuning_server: FineTuningServer) -> None:
    with opened(tuned) as (project, file):
        job = wait_until_ended(project, submit(project, file).job.intent_id, pause_seconds=0)
        collect(project, job)
        fine_tuning_server.models.remove(job.model_id or "")
        assert project.ledger.retire_model(job.model_id or "")
        with pytest.raises(TuningError, match="was retired and is gone"):
            submit(project, file)
        assert project.ledger.unretire_model(job.model_id or "")
        assert submit(project, file).job.attempt == 2
    assert len(fine_tuning_server.jobs) == 2


def test_what_was_done_until_a_job_was_stopped_is_counted(
    tuned: SmallProject, fine_tuning_server: FineTuningServer
) -> None:
    fine_tuning_server.outcome = "never"
    with opened(tuned) as (project, file):
        job = submit(project, file).job
        project.ledger.note_tuning(job.intent_id, {"progress": {"step": 3, "total_steps": 12}})
        cancel(project, job.intent_id)
        (paid,) = project.ledger.usage()
        assert paid.estimated and paid.cost_usd == pytest.approx((job.estimated_cost_usd or 0) / 4)
        assert project.ledger.open_reservations() == []


@pytest.mark.slow
def test_keys_stay_out_of_errors(
    small_project: SmallProject, fine_tuning_server: FineTuningServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FINE_TUNING_TEST_KEY", "sk-secret-0123456789")
    configure(small_project, fine_tuning_server)
    text = small_project.config_file.read_text("utf-8").replace(
        "api_key_env: null", "api_key_env: FINE_TUNING_TEST_KEY"
    )
    small_project.config_file.write_text(text, "utf-8")
    fine_tuning_server.fail("create", Fault(400, message="Bad key sk-secret-0123456789 here."))
    with opened(small_project) as (project, file):
        with pytest.raises(InvalidRequestError) as caught:
            submit(project, file)
        assert "sk-secret" not in str(caught.value) + project.ledger.tuning_jobs()[0].error


@pytest.mark.slow
def test_over_budget_stops_before_anything_is_asked(
    small_project: SmallProject, fine_tuning_server: FineTuningServer
) -> None:
    configure(small_project, fine_tuning_server)
    text = small_project.config_file.read_text("utf-8")
    with opened(small_project) as (project, file):
        foreseen = submit(project, file).job.estimated_cost_usd
    assert foreseen is not None and foreseen > 0
    small_project.config_file.write_text(f"{text}\nspend: {{month_usd: {foreseen * 1.5}}}\n", "utf-8")
    fine_tuning_server.calls.clear()
    with small_project.open() as project, pytest.raises(GateError, match=r"training_budget.*set aside"):
        submit(project, passed_file(project, "autumn"))
    assert not {"upload", "create"} & fine_tuning_server.calls.keys()
    with small_project.open() as project:
        assert submit(project, passed_file(project)).how == "continued", "its own money stands in nobody's way"
        assert [job.state for job in project.ledger.tuning_jobs()] == ["submitted"]


def test_money_that_another_run_took_after_the_gate_is_not_spent_twice(
    small_project: SmallProject, fine_tuning_server: FineTuningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(small_project, fine_tuning_server)
    with small_project.config_file.open("a", encoding="utf-8") as settings:
        settings.write("spend: {month_usd: 1.0}\n")

    def overtaken(project: Project, file: TrainingFile, **rest: Any) -> TrainingCost:
        cost = require_training_file(project, file, **rest)
        project.ledger.reserve("answers", 1.0, model="gpt-4o-mini", limits=project.settings.spend)
        return cost

    monkeypatch.setattr("rag_assets.tuning.jobs.require_training_file", overtaken)
    with small_project.open() as project:
        file = passed_file(project)
        with pytest.raises(BudgetError, match="set aside"):
            submit(project, file)
        assert [job.state for job in project.ledger.tuning_jobs()] == ["refused"]
    assert not {"upload", "create"} & fine_tuning_server.calls.keys()


def test_two_that_fit_alone_and_not_together(small_project: SmallProject, fine_tuning_server: FineTuningServer) -> None:
    configure(small_project, fine_tuning_server, timeout_seconds=20)
    with small_project.open() as project:
        files = [passed_file(project, topic) for topic in ("autumn", "winter")]
        cost = max(require_training_file(project, file).cost_usd or 0.0 for file in files)
    text = small_project.config_file.read_text("utf-8")
    small_project.config_file.write_text(f"{text}\nspend: {{month_usd: {cost * 1.5}}}\n", "utf-8")

    def start(file: TrainingFile) -> str:
        with small_project.open() as project:
            try:
                return submit(project, file).how
            except (BudgetError, GateError):
                return "refused"

    with small_project.open() as project:  # the verdicts of budgets are about the budgets
        for file in files:
            judge_training_file(project, file)
    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(start, files)) == ["refused", "submitted"]
    assert len(fine_tuning_server.jobs) == 1


def test_the_command_cancels_a_job(tuned: SmallProject, fine_tuning_server: FineTuningServer) -> None:
    fine_tuning_server.outcome = "never"
    with opened(tuned) as (project, file):
        job = submit(project, file).job
    command = CliRunner().invoke(app, ["models", "cancel", job.job_id or "", "--json"])
    assert command.exit_code == 0, command.output
    told = json.loads(command.stdout)
    assert (told["job_id"], told["state"], told["error"]) == ("ftjob-1", "cancelled", "Cancelled by a person.")
    again = CliRunner().invoke(app, ["models", "cancel", job.intent_id])
    assert again.exit_code != 0 and isinstance(again.exception, TuningError)
    assert fine_tuning_server.jobs["ftjob-1"]["status"] == "cancelled"


def test_a_job_whose_provider_left_the_configuration_can_be_given_up(
    tuned: SmallProject, fine_tuning_server: FineTuningServer
) -> None:
    fine_tuning_server.outcome = "never"
    with opened(tuned) as (project, file):
        left = submit(project, file).job
        tuned.configure()
    with tuned.open() as project:
        with pytest.raises(ConfigurationError, match="'tuner' is not declared"):
            poll(project, left)
        late = poll(project, replace(left, deadline=utc_now())).job
        assert (late.state, project.ledger.open_reservations()) == ("expired", [])
        assert project.ledger.tuning_to_collect() == [], "nothing else waits for it"
        again = project.ledger.begin_tuning(TuningWish("another", "tuner", "gpt-4o-mini", "file", 0))
        assert "not declared any more" in cancel(project, again.intent_id).error
