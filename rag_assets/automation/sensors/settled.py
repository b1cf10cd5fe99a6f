"""Evaluates and releases once ingestion has settled: once for all sources that changed, also when one of them failed.

What happened last is read from the runs themselves, whoever launched them: each carries the name of the state it took
its snapshot of. So nothing is forgotten when the sensor is reset, and a state is released again when something else was
released in between.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import dagster as dg

from rag_assets.assets.release_state import STATE_TAG, ReleaseState, release_state
from rag_assets.automation import history
from rag_assets.automation.attempts import Standing, is_due
from rag_assets.automation.jobs import release_index
from rag_assets.automation.opening import with_project
from rag_assets.automation.orphans import end_orphans
from rag_assets.automation.release_attempts import attempts, describe
from rag_assets.project import Project
from rag_assets.resources.project import ProjectResource

NAME = "release_when_settled"
LONGEST_WAIT_SECONDS = 5.0
"""A tick waits for the rest of the quiet time rather than leave it to the next one."""


@dg.sensor(
    name=NAME,
    job=release_index,
    minimum_interval_seconds=4,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Pins, evaluates and releases the index once no source has been ingested for automation.settle_seconds "
    "and there is something new to release: other rows, prompts, models, settings or questions. However many sources "
    "changed it is one evaluation, and a source that failed keeps its previous rows. What a gate refused is not tried "
    "again before something changes; what failed otherwise is, every few minutes. Off with "
    "automation.release_when_settled.",
)
def release_when_settled(
    context: dg.SensorEvaluationContext, project: ProjectResource
) -> dg.SensorResult | dg.SkipReason:
    return with_project(project, lambda opened: tick(opened, context.instance))


def tick(project: Project, instance: dg.DagsterInstance) -> dg.SensorResult:
    """Launches the release of the present state, or says why not."""
    end_orphans(instance, project.ledger)
    reason = _why_not_yet(project, instance)
    if reason:
        return dg.SensorResult(skip_reason=reason)
    state = release_state(project)
    reason = _why_not_this(project, instance, state)
    if reason:
        return dg.SensorResult(skip_reason=reason)
    tags = {STATE_TAG: state.name, "rag_assets/launched_by": "ingestion has settled"}
    return dg.SensorResult(run_requests=[dg.RunRequest(tags=tags)])


def _why_not_yet(project: Project, instance: dg.DagsterInstance) -> str | None:
    automation = project.settings.automation
    if not automation.release_when_settled:
        return "Off: automation.release_when_settled is false in the configuration."
    reason = _busy(instance)
    if reason:
        return reason
    ended_at = history.last_ingestion_ended_at(instance)
    if ended_at is None:
        return None
    wait = (ended_at + timedelta(seconds=automation.settle_seconds) - datetime.now(UTC)).total_seconds()
    if wait > LONGEST_WAIT_SECONDS:
        return f"The last ingestion ended {automation.settle_seconds - wait:.0f} s ago; settled in {wait:.0f} s."
    if wait > 0:
        time.sleep(wait)
        return _busy(instance)
    return None


def _busy(instance: dg.DagsterInstance) -> str | None:
    now = history.under_way(instance)
    if now.releasing:
        return "A release is under way."
    if now.refreshing:
        return "The job refresh_all is under way; it releases by itself."
    if now.sources:
        return f"Being ingested: {_listed(sorted(now.sources))}."
    return None


def _why_not_this(project: Project, instance: dg.DagsterInstance, state: ReleaseState) -> str | None:
    if not project.source_names:
        return "No source is configured. Add one: rag-assets sources add NAME --path FOLDER"
    if not state.indexed:
        return "No source is indexed yet with the present models and chunking; the watch ingests them, or run: " \
            "rag-assets ingest --all"  # fmt: skip
    found = attempts(project, instance, state)
    if is_due(found):
        return None
    if found.standing == Standing.DONE:
        return f"Nothing new to release since {found.ended_at:%Y-%m-%d %H:%M:%S} UTC."
    return describe(found)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
