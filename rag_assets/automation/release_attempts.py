"""What became of the releases of the present state, whoever launched them.

Each run of `release_index` carries the name of the state it took its snapshot of, so the newest runs tell what happened
last: also by hand, and also when the sensor was reset. A flip by a person (a rollback, a promotion) is none of these
runs, and so is never undone while the state stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import dagster as dg

from rag_assets.assets.release_state import STATE_TAG, ReleaseState
from rag_assets.automation import history
from rag_assets.automation.failures import failure_of
from rag_assets.ingestion.watch import backoff
from rag_assets.project import Project

LONGEST_RUN_OF_ATTEMPTS = 10


class Standing(StrEnum):
    """What is to be done about the present state."""

    DUE = "due"
    RELEASED = "released"
    REFUSED = "refused"
    FAILING = "failing"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Attempts:
    """`since`: when the oldest of the attempts that came to the same ended. `again_at` is for `FAILING` alone."""

    standing: Standing
    count: int = 0
    since: datetime | None = None
    ended_at: datetime | None = None
    error: str = ""
    again_at: datetime | None = None

    def describe(self) -> str:
        """A sentence for people; empty when the state is due or released."""
        times = f"{self.count} time{'s' if self.count != 1 else ''}"
        if self.standing == Standing.REFUSED:
            return f"Refused at {_at(self.ended_at)}; what served goes on serving. Waiting for a change. {self.error}"
        if self.standing == Standing.CANCELLED:
            return f"Cancelled {times} in a row, last at {_at(self.ended_at)}; waiting for a change, or for the job " \
                "release_index."  # fmt: skip
        if self.standing == Standing.FAILING:
            return f"Failed {times} in a row since {_at(self.since)}, tried again at {_at(self.again_at)}. {self.error}"
        return ""


def attempts(project: Project, instance: dg.DagsterInstance, state: ReleaseState) -> Attempts:
    """What the newest runs of `release_index` came to, as far back as they were for just this state."""
    cancels = project.settings.automation.pause_after_failures
    runs = _newest_of_state(instance, state, limit=max(LONGEST_RUN_OF_ATTEMPTS, cancels))
    if not runs:
        return Attempts(Standing.DUE)
    newest = runs[0]
    if newest.status == dg.DagsterRunStatus.SUCCESS:
        standing = Standing.DUE if _something_else_since(project, newest) else Standing.RELEASED
        return Attempts(standing, 1, newest.ended_at, newest.ended_at)
    failure = failure_of(instance, newest.run_id)
    if failure.hopeless:
        return Attempts(Standing.REFUSED, 1, newest.ended_at, newest.ended_at, failure.error)
    failed = _until_success(runs)
    cancelled = [run for run in failed[:cancels] if run.status == dg.DagsterRunStatus.CANCELED]
    if len(cancelled) == cancels:
        return Attempts(Standing.CANCELLED, cancels, failed[cancels - 1].ended_at, newest.ended_at)
    again_at = newest.ended_at + backoff(len(failed))
    return Attempts(Standing.FAILING, len(failed), failed[-1].ended_at, newest.ended_at, failure.error, again_at)


def is_due(found: Attempts) -> bool:
    """Whether the release should be launched now. What failed is tried again for as long as it fails, ever later."""
    if found.standing == Standing.FAILING:
        return found.again_at is not None and datetime.now(UTC) >= found.again_at
    return found.standing == Standing.DUE


def _newest_of_state(instance: dg.DagsterInstance, state: ReleaseState, *, limit: int) -> list[history.Ended]:
    runs = []
    for run in history.newest_ended(instance, history.RELEASE_INDEX, limit=limit):
        if run.tags.get(STATE_TAG) != state.name:
            break
        runs.append(run)
    return runs


def _until_success(runs: list[history.Ended]) -> list[history.Ended]:
    failed = []
    for run in runs:
        if run.status == dg.DagsterRunStatus.SUCCESS:
            break
        failed.append(run)
    return failed


def _something_else_since(project: Project, run: history.Ended) -> bool:
    """Whether everything was deleted since, or the asset `release` was materialized to something else by itself."""
    if not project.ledger.releases():
        return True
    newest = project.ledger.stage_runs("release", "", limit=1)
    return bool(newest) and newest[0].run_id != run.run_id and newest[0].created_at > run.ended_at


def _at(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else "an unknown time"
