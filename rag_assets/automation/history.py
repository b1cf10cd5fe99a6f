"""What the instance knows of runs: which are under way, and which ended since it was last asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

INGEST_SOURCE = "ingest_source"
RELEASE_INDEX = "release_index"
COLLECT_EXAMPLES = "collect_examples"
TUNE_MODEL = "tune_model"
FINISH_TUNING = "finish_tuning"
TUNING = (COLLECT_EXAMPLES, TUNE_MODEL, FINISH_TUNING)
REFRESH_ALL = "refresh_all"
PARTITION_TAG = "dagster/partition"
SENSOR_TAG = "dagster/sensor_name"
SCHEDULE_TAG = "dagster/schedule_name"
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
OVERLAP = timedelta(seconds=60)
"""Runs of several processes may become visible a little out of the order of their times."""
RUNS_AT_ONCE = 200
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True, slots=True)
class UnderWay:
    """`sources` whose ingestion is queued or runs; whether `refresh_all` does, and whether a release does.

    `example_sets` are those that are being collected; `tuning`, whether a model is being tuned or compared.
    """

    sources: frozenset[str]
    refreshing: bool
    releasing: bool
    example_sets: frozenset[str] = frozenset()
    tuning: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that ended, in whatever way."""

    run_id: str
    status: dg.DagsterRunStatus
    tags: Mapping[str, str]
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class EndedRun:
    """An ingestion of one source that ended."""

    run_id: str
    source: str
    status: dg.DagsterRunStatus
    created_at: datetime
    ended_at: datetime


def under_way(instance: dg.DagsterInstance) -> UnderWay:
    """What is queued or runs now."""
    runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    return UnderWay(
        sources=frozenset(
            run.tags[PARTITION_TAG] for run in runs if PARTITION_TAG in run.tags and run.job_name not in TUNING
        ),
        refreshing=any(run.job_name == REFRESH_ALL for run in runs),
        releasing=any(run.job_name == RELEASE_INDEX for run in runs),
        example_sets=frozenset(
            run.tags[PARTITION_TAG] for run in runs if PARTITION_TAG in run.tags and run.job_name == COLLECT_EXAMPLES
        ),
        tuning=any(run.job_name in (TUNE_MODEL, FINISH_TUNING) for run in runs),
    )


def ended_since(instance: dg.DagsterInstance, since: datetime, known: Collection[str]) -> list[EndedRun]:
    """Ingestions that ended in whatever way after `since`, oldest first, but those whose ids `known` has."""
    records = instance.get_run_records(
        dg.RunsFilter(job_name=INGEST_SOURCE, statuses=ENDED, updated_after=since - OVERLAP),
        limit=RUNS_AT_ONCE + len(known),
        order_by="update_timestamp",
        ascending=True,
    )
    return [
        EndedRun(
            record.dagster_run.run_id,
            record.dagster_run.tags[PARTITION_TAG],
            record.dagster_run.status,
            as_utc(record.create_timestamp),
            as_utc(record.update_timestamp),
        )
        for record in records
        if record.dagster_run.run_id not in known and PARTITION_TAG in record.dagster_run.tags
    ]


def ingestions_of(instance: dg.DagsterInstance, source: str, created_after: datetime) -> list[dg.RunRecord]:
    """The ingestions of `source` that were made since, newest first, in whatever state."""
    filters = dg.RunsFilter(job_name=INGEST_SOURCE, tags={PARTITION_TAG: source}, created_after=created_after)
    return list(instance.get_run_records(filters, limit=RUNS_AT_ONCE))


def last_ingestion_ended_at(instance: dg.DagsterInstance) -> datetime | None:
    """When the ingestion that ended last ended; None when none ever did."""
    records = instance.get_run_records(
        dg.RunsFilter(job_name=INGEST_SOURCE, statuses=ENDED), limit=1, order_by="update_timestamp"
    )
    return as_utc(records[0].update_timestamp) if records else None


def newest_ended(instance: dg.DagsterInstance, job: str, *, limit: int, partition: str | None = None) -> list[Ended]:
    """The runs of `job` that ended, of one partition or all, whoever launched them, newest first."""
    tags = {PARTITION_TAG: partition} if partition else None
    records = instance.get_run_records(
        dg.RunsFilter(job_name=job, statuses=ENDED, tags=tags), limit=limit, order_by="update_timestamp"
    )
    return [
        Ended(
            record.dagster_run.run_id,
            record.dagster_run.status,
            record.dagster_run.tags,
            as_utc(record.update_timestamp),
        )
        for record in records
    ]


def newest_tag(instance: dg.DagsterInstance, tag: str, *, schedule: str, source: str | None) -> str | None:
    """The value of `tag` on the newest run that `schedule` launched, of `source` if one is given."""
    tags = {SCHEDULE_TAG: schedule, **({PARTITION_TAG: source} if source else {})}
    newest = instance.get_runs(dg.RunsFilter(tags=tags), limit=1)
    return newest[0].tags.get(tag) if newest else None


def as_utc(time: datetime) -> datetime:
    """`time` in UTC; without a zone it is taken to be in UTC already, as Dagster keeps it."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
