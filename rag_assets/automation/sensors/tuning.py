"""Follows tuning jobs to their ends: progress as observations, the time limit, and the run that takes the end in.

What happened is in the ledger and in the runs themselves, so nothing is launched twice or forgotten when the sensor is
reset. Each attempt is taken in by one run; only one that ended before it had done that is launched again.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import dagster as dg

from rag_assets.assets.fine_tuning import INTENT_TAG
from rag_assets.assets.tuning_metadata import observation_of
from rag_assets.automation import history
from rag_assets.automation.opening import with_project
from rag_assets.automation.tuning_jobs import finish_tuning
from rag_assets.automation.tuning_start import gave_up, runs_that_took_in
from rag_assets.errors import RagAssetsError
from rag_assets.ingestion.watch import backoff
from rag_assets.ledger import TuningJob
from rag_assets.ledger.tuning_jobs import INTENDED, OPEN
from rag_assets.project import Project
from rag_assets.resources.project import ProjectResource
from rag_assets.tuning.polling import is_due, poll

NAME = "poll_fine_tuning"
LONGEST_TICK_SECONDS = 20.0
"""Dagster gives a tick 60 seconds; what is not asked about in this one is in the next."""


@dg.sensor(
    name=NAME,
    job=finish_tuning,
    minimum_interval_seconds=4,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks the provider about open tuning jobs, ever less often the longer they take: what happened is "
    "observed on the asset fine_tuning_job, with a link to the job. Cancels one that takes longer than "
    "tuning.time_limit_hours. When a job ends, launches finish_tuning for it, once; a run that could not take the end "
    "in is launched again after a growing wait, up to automation.pause_after_failures times.",
)
def poll_fine_tuning(context: dg.SensorEvaluationContext, project: ProjectResource) -> dg.SensorResult | dg.SkipReason:
    return with_project(project, lambda opened: tick(opened, context.instance))


def tick(project: Project, instance: dg.DagsterInstance) -> dg.SensorResult:
    """Polls what is due, then launches what is to be taken in."""
    now, until = datetime.now(UTC), time.monotonic() + LONGEST_TICK_SECONDS
    events: list[dg.AssetObservation] = []
    said: list[str] = []
    for job in project.ledger.tuning_jobs(states=OPEN):
        if is_due(job, now) and time.monotonic() < until:
            _poll(project, job, events, said)
        else:
            asked = f"asked about at {job.checked_at:%H:%M:%S} UTC" if job.checked_at else "not asked about yet"
            said.append(f"{job.name}: {_status(job)}; {asked}.")
    requests = []
    for job in project.ledger.tuning_to_collect():
        if "events_read" not in job.details and time.monotonic() < until:
            _poll(project, job, events, said)
        request, why = _launch(project, instance, job, now)
        requests += [request] if request else []
        said.append(why)
    reason = " ".join(said) or "No tuning job is open."
    return dg.SensorResult(run_requests=requests, skip_reason=None if requests else reason, asset_events=list(events))


def _poll(project: Project, job: TuningJob, events: list[dg.AssetObservation], said: list[str]) -> None:
    """Asks about one job. A provider that cannot be reached holds back neither the others nor the sensor."""
    try:
        polled = poll(project, job, hasty=True)
    except RagAssetsError as error:
        said.append(f"{job.name}: {error}")
        return
    if polled.events or polled.job.state != job.state:
        events.append(observation_of(polled))
    said.append(f"{polled.job.name}: {_status(polled.job)}.")


def _status(job: TuningJob) -> str:
    if job.state == INTENDED:
        return "not submitted yet" if job.called_at is None else "asked for, and not answered yet"
    return str(job.details.get("status") or "submitted") if job.is_open else job.state


def _launch(
    project: Project, instance: dg.DagsterInstance, job: TuningJob, now: datetime
) -> tuple[dg.RunRequest | None, str]:
    """The run that takes in the end of `job`, if it is to be launched now, and a sentence about it."""
    runs = runs_that_took_in(instance, job)
    if any(run.dagster_run.status in history.UNFINISHED for run in runs):
        return None, f"The end of {job.name} is being taken in."
    tries = len(runs)
    if why := gave_up(project, job, runs):
        return None, why
    if tries:
        again_at = history.as_utc(runs[0].update_timestamp) + backoff(tries)
        if now < again_at:
            return None, f"The end of {job.name} could not be taken in; tried again at {again_at:%H:%M:%S} UTC."
    tags = {INTENT_TAG: job.intent_id, "rag_assets/launched_by": "a tuning job ended"}
    # The number of tries is part of the key: a key is remembered for ever, also of a run that could not start.
    return dg.RunRequest(run_key=f"{job.intent_id}:{tries}", tags=tags), f"{job.name} {job.state}: taking it in."
