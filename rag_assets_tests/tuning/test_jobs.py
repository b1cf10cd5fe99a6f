"""A wish becomes one paid job, whatever the provider answers and however often it is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from rag_assets.errors import (
    AuthenticationError,
    GateError,
    InvalidRequestError,
    ProviderUnavailableError,
    RateLimitError,
    TuningError,
)
from rag_assets.project import Project
from rag_assets.tuning.collecting import collect
from rag_assets.tuning.jobs import submit
from rag_assets.tuning.polling import wait_until_ended
from rag_assets.tuning.training_file import TrainingFile
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.fine_tuning_server import CALLS, Fault, FineTuningServer, fine_tuning_server
from rag_assets_tests.tuning.drills import configure, opened, passed_file
from rag_assets_tests.tuning.files import write_clean

__all__ = ["fine_tuning_server"]


@pytest.fixture
def tuned(small_project: SmallProject, fine_tuning_server: FineTuningServer) -> SmallProject:
    configure(small_project, fine_tuning_server)
    return small_project


def test_from_a_wish_to_a_model(tuned: SmallProject, fine_tuning_server: FineTuningServer) -> None:
    server = fine_tuning_server
    server.polls = 2
    with opened(tuned) as (project, file):
        begun = submit(project, file, run_id="run-1")
        assert (begun.how, begun.job.state, begun.job.attempt) == ("submitted", "submitted", 1)
        assert begun.url == f"{server.base_url}/fine_tuning/jobs/{begun.job.job_id}"
        assert submit(project, file).how == "continued"
        ended = wait_until_ended(project, begun.job.intent_id, pause_seconds=0)
        assert ended.state == "succeeded"
        first, again = collect(project, ended), collect(project, ended)
        assert first.model == again.model
        assert (first.model.examples, first.model.trained_tokens, first.model.cost_usd) == (16, 4_800, 4_800 * 3 / 1e6)
        assert first.model.metrics["train_loss"] == pytest.approx(1 / 6, abs=1e-5)
        assert (first.model.metrics["best_step"], len(first.curves.points)) == (6, 6)
        assert first.model.hyperparameters["n_epochs"] == 3
        assert submit(project, file).how == "reused"
        assert [(row.operation, row.cost_usd, row.asset, row.run_id) for row in project.ledger.usage()] == [
            ("fine_tuning", first.model.cost_usd, "fine_tuning_job", "run-1")
        ]
        assert project.ledger.open_reservations() == []
    body = server.bodies[0]
    assert body["metadata"] == {"rag_assets_intent": begun.job.intent_id}
    assert body["seed"] == 0 and "hyperparameters" not in body
    assert len(server.jobs) == server.calls["create"] == 1
    assert len(server.training_files()) == 2


def test_nothing_is_asked_of_a_provider_without_the_gates(tuned: SmallProject, fine_tuning_server: FineTuningServer):
    with tuned.open() as project:
        file = write_clean(project)
        with pytest.raises(GateError):
            submit(project, file)
        judged = passed_file(project)
        (judged.folder / "manifest.json").write_text("{broken", "utf-8")
        with pytest.raises(TuningError, match=r"manifest\.json cannot be read"):
            submit(project, judged)
    assert not fine_tuning_server.calls


@pytest.mark.parametrize(
    ("lost", "drops_metadata"),
    [
        pytest.param(Fault(hang=True, after=True), False, id="timeout"),
        pytest.param(Fault(500, after=True), True, id="500 without metadata"),
        pytest.param(Fault(500, after=True), False, id="500", marks=pytest.mark.slow),
        pytest.param(Fault(hang=True, after=True), True, id="timeout without metadata", marks=pytest.mark.slow),
    ],
)
def test_a_job_whose_answer_was_lost_is_found(
    tuned: SmallProject, fine_tuning_server: FineTuningServer, lost: Fault, drops_metadata: bool
) -> None:
    fine_tuning_server.drops_metadata = drops_metadata
    fine_tuning_server.fail("create", lost)
    with opened(tuned) as (project, file):
        assert submit(project, file).how == "found"
    assert len(fine_tuning_server.jobs) == fine_tuning_server.calls["create"] == 1


def test_an_uncertain_answer_is_looked_into_before_anything_is_created_again(
    tuned: SmallProject, fine_tuning_server: FineTuningServer
) -> None:
    server = fine_tuning_server
    server.fail("create", Fault(500, after=True))
    server.fail("list_jobs", *[Fault(500)] * 3)
    with opened(tuned) as (project, file):
        with pytest.raises(ProviderUnavailableError):
            submit(project, file)
        assert submit(project, file).how == "found"
    assert len(server.jobs) == server.calls["create"] == 1


@pytest.mark.slow
def test_a_job_that_was_not_created_is_created_once_no_request_can_be_under_way(
    tuned: SmallProject, fine_tuning_server: FineTuningServer
) -> None:
    fine_tuning_server.fail("create", Fault(500))
    with opened(tuned) as (project, file):
        with pytest.raises(ProviderUnavailableError):
            submit(project, file)
        assert submit(project, file).how == "submitted"
    assert len(fine_tuning_server.jobs) == 1


def test_starts_at_once_are_one_job(small_project: SmallProject, fine_tuning_server: FineTuningServer) -> None:
    configure(small_project, fine_tuning_server, timeout_seconds=20)
    with opened(small_project) as (project, file), ThreadPoolExecutor(4) as threads:
        begun = list(threads.map(lambda _: submit(project, file), range(4)))
    assert len({one.job.job_id for one in begun}) == 1
    assert len(fine_tuning_server.jobs) == 1


def test_a_refused_create_ends_the_attempt_and_the_next_one_is_new(
    tuned: SmallProject, fine_tuning_server: FineTuningServer
) -> None:
    fine_tuning_server.fail("create", Fault(400, message="Training is not available for this model."))
    with opened(tuned) as (project, file):
        with pytest.raises(InvalidRequestError, match="Training is not available"):
            submit(project, file)
        assert [job.state for job in project.ledger.tuning_jobs()] == ["refused"]
        assert project.ledger.open_reservations() == []
        assert submit(project, file).job.attempt == 2
    assert len(fine_tuning_server.jobs) == 1


def test_a_rejected_file_ends_the_attempt(tuned: SmallProject, fine_tuning_server: FineTuningServer) -> None:
    fine_tuning_server.fail("upload", Fault(400, message="Invalid file format for Fine-Tuning API."))
    with opened(tuned) as (project, file):
        with pytest.raises(InvalidRequestError, match="Invalid file format"):
            submit(project, file)
        assert [(job.state, job.job_id) for job in project.ledger.tuning_jobs()] == [("refused", None)]
    assert not fine_tuning_server.jobs


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(Fault(429), RateLimitError, id="429"),
        pytest.param(Fault(401, "invalid_api_key"), AuthenticationError, id="401", marks=pytest.mark.slow),
    ],
)
def test_an_answer_that_says_no_leaves_nothing_to_look_for(
    tuned: SmallProject, fine_tuning_server: FineTuningServer, fault: Fault, error: type[Exception]
) -> None:
    fine_tuning_server.fail("create", fault)
    with opened(tuned) as (project, file):
        with pytest.raises(error):
            submit(project, file)
        assert project.ledger.tuning_jobs()[0].called_at is None
        assert submit(project, file).how == "submitted"
    assert len(fine_tuning_server.jobs) == 1


NEEDED = [name for name, _, _ in CALLS if name not in ("checkpoints", "cancel", "models", "delete_model")]


def follow_to_the_model(project: Project, file: TrainingFile, *, tries: int) -> str:
    """Starts over whenever a provider failed, as the retries of the assets and the ticks of the sensor do."""
    for _ in range(tries):
        try:
            job = wait_until_ended(project, submit(project, file).job.intent_id, pause_seconds=0)
            return collect(project, job).model.model_id
        except (ProviderUnavailableError, RateLimitError):
            continue
    raise AssertionError("it never got through")


@pytest.mark.parametrize("status", [pytest.param(429, marks=pytest.mark.slow), 500])
def test_every_call_failing_once_costs_no_second_job(
    tuned: SmallProject, fine_tuning_server: FineTuningServer, status: int
) -> None:
    for call in NEEDED:
        fine_tuning_server.fail(call, Fault(status))
    with opened(tuned) as (project, file):
        assert follow_to_the_model(project, file, tries=3) == "ft:gpt-4o-mini:org::ftjob-1"
        assert [row.operation for row in project.ledger.usage()] == ["fine_tuning"]
    assert len(fine_tuning_server.jobs) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "after"), [(429, False), (500, False), (500, True)], ids=["429", "500", "500 done all the same"]
)
@pytest.mark.parametrize("call", NEEDED)
def test_a_call_that_fails_for_longer_than_the_retries_costs_no_second_job(
    tuned: SmallProject, fine_tuning_server: FineTuningServer, call: str, status: int, after: bool
) -> None:
    fine_tuning_server.fail(call, *[Fault(status, after=after)] * 4)
    with opened(tuned) as (project, file):
        assert follow_to_the_model(project, file, tries=8) == "ft:gpt-4o-mini:org::ftjob-1"
        assert [row.operation for row in project.ledger.usage()] == ["fine_tuning"]
        assert project.ledger.open_reservations() == []
    assert len(fine_tuning_server.jobs) == 1
