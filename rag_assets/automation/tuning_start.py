"""Whether a tuning may start now, and what keeps it and the examples from going on by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from rag_assets.assets.fine_tuning import INTENT_TAG
from rag_assets.assets.snapshot import candidate_content
from rag_assets.automation import history
from rag_assets.automation.attempts import attempts_of
from rag_assets.errors import GateError, NoReleaseError
from rag_assets.ledger import TuningJob
from rag_assets.ledger.tuning_jobs import EXPIRED, FAILED, INTENDED, OPEN, SUCCEEDED
from rag_assets.project import Project
from rag_assets.tuning.state import example_set_state, tuning_state

COLLECT, TUNE = history.COLLECT_EXAMPLES, history.TUNE_MODEL
ENDED_BADLY = (FAILED, EXPIRED)
"""What counts towards a pause, which a success ends: who cancels a job or sets the budget that refuses one knows."""
UNANSWERED_FOR = timedelta(minutes=10)
"""So long the job of a call that got no answer may still be found; what is started later looks for it by itself."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps examples or a tuning from going on by themselves."""

    name: str
    said: str


def problems(project: Project, instance: dg.DagsterInstance) -> Iterator[Problem]:
    """Sets that were refused or keep failing, and a tuning that was refused, keeps failing or is paused."""
    pause = project.settings.automation.pause_after_failures
    for name in sorted(project.settings.examples):
        state = example_set_state(project, name)
        found = attempts_of(instance, COLLECT, state, cancels=pause, pause_after=pause, partition=name)
        if said := found.describe(job=COLLECT, refused="the set stays as it was. "):
            yield Problem(f"examples {name}", said)
    tuned = tuning_state(project)
    if tuned is not None:
        found = attempts_of(instance, TUNE, tuned, cancels=pause, pause_after=pause)
        if said := found.describe(job=TUNE, refused="nothing was paid. "):
            yield Problem("tuning", said)
    if paused := _paused(project):
        yield Problem("tuning jobs", paused)
    for job in project.ledger.tuning_to_collect():
        if why := gave_up(project, job, runs_that_took_in(instance, job)):
            yield Problem("tuned model", why)


def runs_that_took_in(instance: dg.DagsterInstance, job: TuningJob) -> list[dg.RunRecord]:
    """The runs of finish_tuning for the end of `job`, newest first, in whatever state."""
    filters = dg.RunsFilter(job_name=history.FINISH_TUNING, tags={INTENT_TAG: job.intent_id})
    return list(instance.get_run_records(filters, order_by="update_timestamp"))


def gave_up(project: Project, job: TuningJob, runs: Sequence[dg.RunRecord]) -> str | None:
    """A sentence where so many `runs` failed to take in the end of `job` that no other is launched."""
    if len(runs) < project.settings.automation.pause_after_failures:
        return None
    if any(run.dagster_run.status in history.UNFINISHED for run in runs):
        return None
    return f"Gave up on {job.name} after {len(runs)} runs that failed. Launch the job {history.FINISH_TUNING}."


def why_not_now(project: Project, instance: dg.DagsterInstance) -> str | None:
    """A sentence, or None where nothing stands in the way."""
    if not project.settings.examples:
        return "No set of examples is configured."
    return _busy(project, instance) or _paused(project) or _no_snapshot(project)


def _busy(project: Project, instance: dg.DagsterInstance) -> str | None:
    now = history.under_way(instance)
    if now.tuning:
        return "A model is being tuned or compared."
    if now.example_sets:
        return f"Being collected: {', '.join(sorted(now.example_sets))}."
    if now.sources or now.refreshing or now.releasing:
        return "Documents are being ingested or released; the tuning waits for them."
    waiting = [*filter(_is_waited_for, project.ledger.tuning_jobs(states=OPEN)), *project.ledger.tuning_to_collect()]
    if not waiting:
        return None
    return gave_up(project, waiting[0], runs_that_took_in(instance, waiting[0])) or (
        f"The job {waiting[0].name} is under way."
    )


def _is_waited_for(job: TuningJob) -> bool:
    """Not an attempt that its run left before there was a job: the next run goes on with it."""
    if job.state != INTENDED:
        return True
    return job.called_at is not None and datetime.now(UTC) - job.called_at < UNANSWERED_FOR


def _paused(project: Project) -> str | None:
    """Jobs that the provider ends badly are paid for as well: some in a row, and a person must look."""
    most = project.settings.automation.pause_after_failures
    newest = project.ledger.tuning_jobs(states=(*ENDED_BADLY, SUCCEEDED), limit=most)
    if len(newest) < most or any(job.state not in ENDED_BADLY for job in newest):
        return None
    return (
        f"Paused: the last {most} jobs ended badly, the newest with: {newest[0].error or newest[0].state}. "
        "To go on, run: rag-assets tune"
    )


def _no_snapshot(project: Project) -> str | None:
    try:
        content = candidate_content(project)
    except (NoReleaseError, GateError) as error:
        return f"There is no judged snapshot to train on. {error}"
    if not project.settings.tuning.start.snapshot_passed:
        return None
    serving = project.ledger.serving()
    if serving is None or serving.snapshot_id != content.snapshot.snapshot_id:
        return f"Snapshot {content.snapshot.snapshot_id} did not pass its gates, or is not released yet."
    return None
