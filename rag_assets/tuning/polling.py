"""Asks providers how tuning jobs are, and takes their ends into the ledger: a model, the provider's reason, or a limit.

A job ends here only when its provider says that it ended. One that takes longer than `tuning.time_limit_hours` is
cancelled first and then counts as expired.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rag_assets.errors import InvalidRequestError, ProviderUnavailableError, RateLimitError, TuningError
from rag_assets.failpoints import failpoint
from rag_assets.ledger import TuningJob
from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.tuning_jobs import CANCELLED, EXPIRED, FAILED, INTENDED, SUCCEEDED
from rag_assets.models.fine_tuning import FineTuner
from rag_assets.models.tuning_objects import JobEvent, ProviderJob
from rag_assets.project import Project
from rag_assets.tuning import money
from rag_assets.tuning.jobs import note_submitted, open_tuner

SHORTEST_PAUSE_SECONDS = 4.0
LONGEST_PAUSE_SECONDS = 300.0
PAUSE_SHARE = 0.05
"""A job is asked about every twentieth of the time that it has taken so far, within the two limits."""
UNREACHABLE_AT_MOST = 10
NO_MODEL_GRACE = timedelta(minutes=5)
"""So long a job may be said to have succeeded without a model being named yet."""
NEVER_SUBMITTED_AFTER = timedelta(days=1)
TIME_LIMIT = "time limit"
BY_PERSON = "person"


@dataclass(frozen=True, slots=True)
class Polled:
    """An attempt after its provider was asked, and the events that nobody had seen, oldest first."""

    job: TuningJob
    events: tuple[JobEvent, ...]
    url: str


def is_due(job: TuningJob, now: datetime) -> bool:
    """Whether it is time to ask about the job again."""
    if job.checked_at is None or (job.deadline is not None and job.checked_at < job.deadline <= now):
        return True
    taken = (now - (job.submitted_at or job.created_at)).total_seconds()
    pause = min(LONGEST_PAUSE_SECONDS, max(SHORTEST_PAUSE_SECONDS, PAUSE_SHARE * taken))
    return (now - job.checked_at).total_seconds() >= pause


def poll(project: Project, job: TuningJob, *, hasty: bool = False) -> Polled:
    """Asks about one open attempt, and once for the last events of one that ended. See `FineTuner` for `hasty`."""
    if job.is_open and _nobody_to_ask(project, job) and _is_over(job):
        return Polled(_given_up(project, job, EXPIRED, "Its time is over"), (), "")
    with open_tuner(project, job.provider, hasty=hasty) as tuner:
        url = tuner.job_url(job.name)
        if job.is_open:
            job = refreshed(project, tuner, job)
        if job.job_id is None:
            return Polled(project.ledger.note_tuning(job.intent_id), (), url)
        try:
            events = tuner.events(job.job_id, after=job.details.get("last_event"))
        except InvalidRequestError:  # a server that tells no events
            events = []
        failpoint("tuning.while_polling")
        seen: dict[str, Any] = {"last_event": events[-1].event_id, **_figures(events)} if events else {}
        if not job.is_open:
            seen["events_read"] = True
        return Polled(project.ledger.note_tuning(job.intent_id, seen), tuple(events), url)


def refreshed(project: Project, tuner: FineTuner, job: TuningJob) -> TuningJob:
    """The attempt as its provider tells it now; the time limit is kept."""
    if job.state == INTENDED:
        return _looked_for(project, tuner, job)
    assert job.job_id is not None
    try:
        made = tuner.job(job.job_id)
    except InvalidRequestError:
        if job.deadline is None or utc_now() < job.deadline:
            raise  # a mistake in the configuration is more likely than a job that its provider lost
        return _ended(project, job, EXPIRED, "Its provider does not know it, and its time limit is over.")
    if made.standing == "open" and job.deadline is not None and utc_now() >= job.deadline:
        made = _stopped(project, tuner, job, TIME_LIMIT)
    return _taken_in(project, job, made)


def cancel(project: Project, name: str) -> TuningJob:
    """Cancels the attempt with this job id or intent id. Raises `TuningError` when there is none or it has ended."""
    job = project.ledger.tuning_job(name)
    if job is None:
        raise TuningError(f"There is no tuning job {name!r} on record.", fix="See the asset fine_tuning_job.")
    if job.is_open and _nobody_to_ask(project, job):
        return _given_up(project, job, CANCELLED, "Cancelled by a person")
    with open_tuner(project, job.provider) as tuner:
        if job.is_open:
            job = refreshed(project, tuner, job)
        if not job.is_open:
            raise TuningError(f"The tuning job {job.name} has ended: {job.state}.", fix="Nothing was cancelled.")
        if job.state == INTENDED:  # its provider does not know it
            _require_no_call(job, tuner)
            _end_unsubmitted(project, job, "Cancelled by a person before it was submitted.")
        else:
            job = _taken_in(project, job, _stopped(project, tuner, job, BY_PERSON))
    found = project.ledger.tuning_job(job.intent_id)
    assert found is not None, "attempts stay"
    return found


def wait_until_ended(
    project: Project,
    intent_id: str,
    *,
    on_progress: Callable[[Polled], None] = lambda polled: None,
    pause_seconds: float = 1.0,
) -> TuningJob:
    """Polls one attempt in this process until it ends. The time limit ends it at the latest.

    A provider that cannot be reached is asked again, `UNREACHABLE_AT_MOST` times in a row.
    """
    unreachable = 0
    while True:
        job = project.ledger.tuning_job(intent_id)
        if job is None:
            raise TuningError(f"There is no tuning job {intent_id!r} on record.")
        if not job.is_open:
            return job
        try:
            polled = poll(project, job)
        except (ProviderUnavailableError, RateLimitError):
            unreachable += 1
            if unreachable > UNREACHABLE_AT_MOST:
                raise
        else:
            unreachable = 0
            on_progress(polled)
            if not polled.job.is_open:
                return polled.job
        time.sleep(pause_seconds)


def _nobody_to_ask(project: Project, job: TuningJob) -> bool:
    return job.provider not in project.settings.models.all_providers()


def _is_over(job: TuningJob) -> bool:
    now = utc_now()
    return now >= job.deadline if job.deadline else now - job.created_at > NEVER_SUBMITTED_AFTER


def _given_up(project: Project, job: TuningJob, state: str, why: str) -> TuningJob:
    """Ends an attempt whose provider left the configuration, so that it does not hold money and others up for ever."""
    error = f"{why}, and its provider {job.provider!r} is not declared any more: look there whether it goes on."
    ended = _ended(project, job, state, error)
    project.ledger.collect_tuning(job.intent_id)
    return ended


def _looked_for(project: Project, tuner: FineTuner, job: TuningJob) -> TuningJob:
    """An intent whose job's id never arrived, of which the process may be gone: is there a job after all?"""
    if job.called_at is not None:
        found = tuner.find_job(
            intent_id=job.intent_id,
            training_file_id=job.train_file_id,
            since=job.created_at,
            known=project.ledger.tuning_job_ids(),
        )
        if found is not None:
            return note_submitted(project, tuner, job, found)
    if utc_now() - (job.called_at or job.created_at) > NEVER_SUBMITTED_AFTER:
        _end_unsubmitted(project, job, "It was never submitted, and nobody came back to it for a day.")
        ended = project.ledger.tuning_job(job.intent_id)
        return ended or job
    return job


def _require_no_call(job: TuningJob, tuner: FineTuner) -> None:
    """A job that is being created this moment would come into being after its attempt was cancelled."""
    if job.called_at is None:
        return
    until = job.called_at + timedelta(seconds=tuner.settled_after_seconds)
    if utc_now() < until:
        raise TuningError(
            f"The tuning job {job.intent_id} is being submitted; its provider has not answered yet.",
            fix=f"Try again after {until:%H:%M:%S} UTC.",
        )


def _end_unsubmitted(project: Project, job: TuningJob, why: str) -> None:
    if project.ledger.end_tuning(job.intent_id, CANCELLED, error=why):
        money.give_back(project, job)


def _stopped(project: Project, tuner: FineTuner, job: TuningJob, why: str) -> ProviderJob:
    """Asks for the end of a job; what then holds is what its provider says afterwards."""
    assert job.job_id is not None
    project.ledger.note_tuning(job.intent_id, {"stopped_by": why})
    try:
        return tuner.cancel(job.job_id)
    except InvalidRequestError:  # it ended meanwhile
        return tuner.job(job.job_id)


def _taken_in(project: Project, job: TuningJob, made: ProviderJob) -> TuningJob:
    """Writes what the provider says to the ledger; the end once, with what it cost."""
    told: dict[str, Any] = {
        "status": made.status,
        "hyperparameters": dict(made.hyperparameters),
        "result_files": list(made.result_files),
        "estimated_finish": made.estimated_finish.isoformat() if made.estimated_finish else None,
    }
    if made.standing == "succeeded" and made.model_id is None:
        told["no_model_since"] = job.details.get("no_model_since") or utc_now().isoformat()
    job = project.ledger.note_tuning(job.intent_id, told)
    state, error = _end_of(job, made)
    if state is None:
        return job
    return _ended(project, job, state, error, made)


def _ended(project: Project, job: TuningJob, state: str, error: str, made: ProviderJob | None = None) -> TuningJob:
    """The attempt at its end, which is written once, with its money settled."""
    trained_tokens = made.trained_tokens if made else None
    project.ledger.end_tuning(
        job.intent_id,
        state,
        error=error,
        model_id=made.model_id if made and state == SUCCEEDED else None,
        trained_tokens=trained_tokens,
        cost_usd=money.training_cost_usd(project, job.provider, job.base_model, trained_tokens),
        finished_at=made.finished_at if made else None,
    )
    ended = project.ledger.tuning_job(job.intent_id)
    assert ended is not None, "attempts stay"
    failpoint("tuning.between_end_and_settled")
    money.settle(project, ended)
    return ended


def _end_of(job: TuningJob, made: ProviderJob) -> tuple[str | None, str]:
    """The state that the provider's words come to, and why; None while the job goes on."""
    if made.standing == "open":
        return None, ""
    if made.standing == "succeeded":
        if made.model_id is not None:
            return SUCCEEDED, ""
        since = datetime.fromisoformat(job.details["no_model_since"])
        if utc_now() - since < NO_MODEL_GRACE:
            return None, ""
        return FAILED, "The provider says that the job succeeded, and names no model."
    if made.standing == "failed":
        return FAILED, made.error or "The provider gives no reason."
    if job.details.get("stopped_by") == TIME_LIMIT:
        return EXPIRED, f"It took longer than its time limit, which ended at {job.deadline:%Y-%m-%d %H:%M} UTC."
    by = "by a person" if job.details.get("stopped_by") == BY_PERSON else "at the provider"
    return CANCELLED, f"Cancelled {by}.{f' {made.error}' if made.error else ''}"


def _figures(events: list[JobEvent]) -> dict[str, Any]:
    """The newest figures of a step among events of metrics."""
    for event in reversed(events):
        figures = {name: value for name, value in event.data.items() if isinstance(value, int | float)}
        if "step" in figures:
            return {"progress": figures}
    return {}
