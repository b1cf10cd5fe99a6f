"""What became of the runs of one job that were made of one state, whoever launched them.

Such a run carries the name of the state that it worked on as the tag `STATE_TAG`, so the newest runs tell what happened
last: also by hand, and also when a sensor was reset.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import dagster as dg

from rag_assets.assets.release_state import STATE_TAG
from rag_assets.automation import history
from rag_assets.automation.failures import failure_of
from rag_assets.config import SpendSettings
from rag_assets.ingestion.watch import backoff
from rag_assets.ledger import may_fit_now

LONGEST_RUN_OF_ATTEMPTS = 10


class Standing(StrEnum):
    """What is to be done about the present state."""

    DUE = "due"
    DONE = "done"
    REFUSED = "refused"
    FAILING = "failing"
    PAUSED = "paused"
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

    def describe(self, *, job: str, refused: str = "") -> str:
        """A sentence for people; empty when the state is due or done. `refused` says what that means for `job`."""
        times = f"{self.count} time{'s' if self.count != 1 else ''}"
        if self.standing == Standing.REFUSED:
            return f"Refused at {_at(self.ended_at)}; {refused}Waiting for a change. {self.error}"
        if self.standing == Standing.CANCELLED:
            return (
                f"Cancelled {times} in a row, last at {_at(self.ended_at)}; waiting for a change, or for the job {job}."
            )
        if self.standing == Standing.PAUSED:
            waiting = f"waiting for a change, or for the job {job}"
            return f"Failed {times} in a row and paused since {_at(self.ended_at)}; {waiting}. {self.error}"
        if self.standing == Standing.FAILING:
            return f"Failed {times} in a row since {_at(self.since)}, tried again at {_at(self.again_at)}. {self.error}"
        return ""


def attempts_of(
    instance: dg.DagsterInstance,
    job: str,
    state: str,
    *,
    cancels: int,
    pause_after: int | None = None,
    partition: str | None = None,
    spend: SpendSettings | None = None,
) -> Attempts:
    """What the newest runs of `job` came to, as far back as they were for just this state.

    `cancels` in a row stop it; `pause_after` failures in a row do, where it is given.
    What a budget refused is due again in another month, or under other limits of `spend`.
    """
    limit = max(LONGEST_RUN_OF_ATTEMPTS, cancels, pause_after or 0)
    runs = _newest_of_state(instance, job, state, limit=limit, partition=partition)
    if not runs:
        return Attempts(Standing.DUE)
    newest = runs[0]
    if newest.status == dg.DagsterRunStatus.SUCCESS:
        return Attempts(Standing.DONE, 1, newest.ended_at, newest.ended_at)
    failure = failure_of(instance, newest.run_id)
    if spend is not None and may_fit_now(failure.error, spend, datetime.now(UTC)):
        return Attempts(Standing.DUE)
    if failure.hopeless:
        return Attempts(Standing.REFUSED, 1, newest.ended_at, newest.ended_at, failure.error)
    failed = _until_success(runs)
    cancelled = [run for run in failed[:cancels] if run.status == dg.DagsterRunStatus.CANCELED]
    if len(cancelled) == cancels:
        return Attempts(Standing.CANCELLED, cancels, failed[cancels - 1].ended_at, newest.ended_at)
    if pause_after is not None and len(failed) >= pause_after:
        return Attempts(Standing.PAUSED, len(failed), failed[-1].ended_at, newest.ended_at, failure.error)
    again_at = newest.ended_at + backoff(len(failed))
    return Attempts(Standing.FAILING, len(failed), failed[-1].ended_at, newest.ended_at, failure.error, again_at)


def is_due(found: Attempts) -> bool:
    """Whether the job should be launched now. What failed is tried again, ever later."""
    if found.standing == Standing.FAILING:
        return found.again_at is not None and datetime.now(UTC) >= found.again_at
    return found.standing == Standing.DUE


def _newest_of_state(
    instance: dg.DagsterInstance, job: str, state: str, *, limit: int, partition: str | None
) -> list[history.Ended]:
    runs = []
    for run in history.newest_ended(instance, job, limit=limit, partition=partition):
        if run.tags.get(STATE_TAG) != state:
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


def _at(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else "an unknown time"
