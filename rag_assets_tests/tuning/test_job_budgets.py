"""A job is held to the budgets of now until it is paid for, and its own money never counts twice."""

from __future__ import annotations

import pytest

from rag_assets.errors import GateError, ProviderUnavailableError, RateLimitError
from rag_assets.project import Project
from rag_assets.tuning.gates import BUDGET, judge_training_file
from rag_assets.tuning.jobs import submit
from rag_assets.tuning.polling import wait_until_ended
from rag_assets.tuning.training_file import TrainingFile
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.fine_tuning_server import Fault, FineTuningServer, fine_tuning_server
from rag_assets_tests.tuning.drills import configure, opened, passed_file

__all__ = ["fine_tuning_server"]


@pytest.fixture
def tuned(small_project: SmallProject, fine_tuning_server: FineTuningServer) -> SmallProject:
    configure(small_project, fine_tuning_server)
    return small_project


def _limit(small: SmallProject, server: FineTuningServer, *, month_usd: float = 1.0, job_usd: float = 1.0) -> None:
    configure(small, server, f", budget_usd: {job_usd}")
    with small.config_file.open("a", encoding="utf-8") as settings:
        settings.write(f"spend: {{month_usd: {month_usd}}}\n")


def _budget_passes(project: Project, file: TrainingFile) -> bool:
    return {verdict.gate: verdict.passed for verdict in judge_training_file(project, file)}[BUDGET]


def test_what_was_paid_needs_no_room_in_the_budget_again(
    tuned: SmallProject, fine_tuning_server: FineTuningServer
) -> None:
    with opened(tuned) as (project, file):
        begun = submit(project, file)
        wait_until_ended(project, begun.job.intent_id, pause_seconds=0)
    _limit(tuned, fine_tuning_server, month_usd=(begun.job.estimated_cost_usd or 0) * 1.5)
    with tuned.open() as project:
        assert _budget_passes(project, file), "a run over unchanged examples is not stopped by what it paid before"
        assert submit(project, file).how == "reused"
        assert not _budget_passes(project, passed_file(project, "autumn"))


def test_an_attempt_that_was_left_unpaid_keeps_to_the_budgets_of_now(
    tuned: SmallProject, fine_tuning_server: FineTuningServer
) -> None:
    fine_tuning_server.fail("create", Fault(429))
    with opened(tuned) as (project, file):
        with pytest.raises(RateLimitError):
            submit(project, file)
        cost = project.ledger.tuning_jobs()[0].estimated_cost_usd or 0.0
    for limits in ({"job_usd": cost / 2}, {"month_usd": cost / 2}):
        _limit(tuned, fine_tuning_server, **limits)
        with tuned.open() as project:
            assert not _budget_passes(project, file)
            with pytest.raises(GateError, match="training_budget"):
                submit(project, file)
    _limit(tuned, fine_tuning_server, month_usd=cost)
    with tuned.open() as project:
        assert _budget_passes(project, file), "what is set aside for this very job stands in nobody's way"
        assert submit(project, file).how == "submitted"


def test_a_call_that_created_nothing_is_repeated_only_within_the_budgets_of_now(
    tuned: SmallProject, fine_tuning_server: FineTuningServer
) -> None:
    fine_tuning_server.fail("create", Fault(500))
    with opened(tuned) as (project, file), pytest.raises(ProviderUnavailableError):
        submit(project, file)
    _limit(tuned, fine_tuning_server, job_usd=1e-6)
    with tuned.open() as project:
        assert _budget_passes(project, file), "a job may be there: it is looked for first"
        with pytest.raises(GateError, match="training_budget"):
            submit(project, file)
        assert [job.state for job in project.ledger.tuning_jobs()] == ["refused"]
        assert project.ledger.open_reservations() == []
    assert fine_tuning_server.calls["create"] == 1


def test_an_attempt_after_one_that_failed_is_judged_though_there_was_a_model_once(
    tuned: SmallProject, fine_tuning_server: FineTuningServer
) -> None:
    with opened(tuned) as (project, file):
        made = wait_until_ended(project, submit(project, file).job.intent_id, pause_seconds=0)
        fine_tuning_server.models.remove(made.model_id or "")
        fine_tuning_server.outcome = "failed"
        wait_until_ended(project, submit(project, file).job.intent_id, pause_seconds=0)
    _limit(tuned, fine_tuning_server, job_usd=1e-6)
    with tuned.open() as project, pytest.raises(GateError, match="training_budget"):
        submit(project, file)
    assert fine_tuning_server.calls["create"] == 2
