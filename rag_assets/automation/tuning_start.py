"""Whether a tuning may start now: nothing in its way is under way, and the snapshot it would use is a good one."""

from __future__ import annotations

import dagster as dg

from rag_assets.assets.snapshot import candidate_content
from rag_assets.automation import history
from rag_assets.errors import GateError, NoReleaseError
from rag_assets.ledger.tuning_jobs import EXPIRED, FAILED, OPEN
from rag_assets.project import Project

ENDED_BADLY = (FAILED, EXPIRED)
"""What counts towards a pause: a person who cancels a job, and a budget that refuses one, know about it already."""


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
    waiting = [*project.ledger.tuning_jobs(states=OPEN, limit=1), *project.ledger.tuning_to_collect()]
    return f"The job {waiting[0].name} is under way." if waiting else None


def _paused(project: Project) -> str | None:
    """Jobs that the provider ends badly are paid for as well: some in a row, and a person must look."""
    most = project.settings.automation.pause_after_failures
    newest = project.ledger.tuning_jobs(limit=most)
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
