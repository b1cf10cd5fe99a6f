"""Ingests the sources that other systems report new data of."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

import dagster as dg

from rag_assets.assets import SOURCES, sync_partitions
from rag_assets.assets.external import source_updates
from rag_assets.automation import history
from rag_assets.automation.failures import RunFailure, failure_of
from rag_assets.automation.jobs import ingest_source
from rag_assets.automation.opening import with_project
from rag_assets.ingestion.watch import backoff
from rag_assets.project import Project
from rag_assets.resources.project import ProjectResource

REPORTS_PER_TICK = 200
VANISHED_SECONDS = 60.0
"""A launch of which no run is found after so long has vanished."""
UNKNOWN_FAILURE = RunFailure("Its run was deleted before it ended.", False)


@dataclass(slots=True)
class Waiting:
    """A report whose ingestion has not succeeded yet. `at`: when it was launched last, or failed last."""

    at: str
    failures: int = 0
    failed: bool = False
    error: str = ""


@dataclass(slots=True)
class Cursor:
    """`after`: the report that was read last. `gave_up`: source → why its report is not tried again."""

    after: int = 0
    waiting: dict[str, Waiting] = field(default_factory=dict)
    gave_up: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str | None) -> Cursor:
        found = json.loads(text) if text else {}
        waiting = {name: Waiting(**one) for name, one in found.get("waiting", {}).items()}
        return cls(found.get("after", 0), waiting, found.get("gave_up", {}))

    def write(self) -> str:
        return json.dumps({key: value for key, value in asdict(self).items() if value}, separators=(",", ":"))


@dg.sensor(
    job=ingest_source,
    minimum_interval_seconds=4,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ingests a source when another system reported on the asset source_updates that it has new data, also "
    "when its files are not watched. Reports that came while nothing ran are not lost; one whose ingestion fails is "
    "tried again after a growing wait, up to automation.pause_after_failures times.",
)
def ingest_reported(
    context: dg.SensorEvaluationContext, project: ProjectResource
) -> dg.SensorResult | dg.SkipReason:  # fmt: skip
    return with_project(project, lambda opened: tick(opened, context.instance, context.cursor))


def tick(project: Project, instance: dg.DagsterInstance, cursor_text: str | None) -> dg.SensorResult:
    """One launch for each source that was reported since the report in the cursor, or whose report is to be retried."""
    cursor, now = Cursor.read(cursor_text), datetime.now(UTC)
    again = _to_try_again(project, instance, cursor, now)
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=source_updates.key, after_storage_id=cursor.after),
        limit=REPORTS_PER_TICK,
        ascending=True,
    )
    reported = list(dict.fromkeys(record.partition_key or "" for record in found.records))
    cursor.after = max((record.storage_id for record in found.records), default=cursor.after)
    new = [name for name in reported if name in project.settings.sources]
    if set(new) - set(instance.get_dynamic_partitions(str(SOURCES.name))):
        sync_partitions(instance, project, removable=())  # a report may come before the sensor that adds new sources
    for name in new:
        cursor.waiting[name] = Waiting(now.isoformat())
        cursor.gave_up.pop(name, None)
    for name in again:
        cursor.waiting[name].at, cursor.waiting[name].failed = now.isoformat(), False
    tags = {"rag_assets/launched_by": "report on source_updates"}
    wanted = list(dict.fromkeys([*new, *again]))
    return dg.SensorResult(
        run_requests=[dg.RunRequest(partition_key=name, tags=tags) for name in wanted],
        skip_reason=None if wanted else _reason(reported, project.source_names, cursor),
        cursor=cursor.write(),
    )


def _to_try_again(project: Project, instance: dg.DagsterInstance, cursor: Cursor, now: datetime) -> list[str]:
    """Looks what became of the runs that were launched. What the watch looks after is left to the watch."""
    automation, due = project.settings.automation, []
    for name, one in list(cursor.waiting.items()):
        watched = name in project.settings.sources and automation.watch_files and project.settings.source(name).watch
        if watched or name not in project.settings.sources:
            del cursor.waiting[name]
            continue
        if not one.failed:
            _note_end(instance, name, cursor, now)
        if name not in cursor.waiting or not one.failed:
            continue
        if one.failures >= automation.pause_after_failures:
            times = f"{one.failures} failure{'s' if one.failures != 1 else ''} in a row"
            cursor.gave_up[name] = f"Gave up on the report of {name} after {times}: {one.error}"
            del cursor.waiting[name]
        elif now >= datetime.fromisoformat(one.at) + backoff(one.failures):
            due.append(name)
    return due


def _note_end(instance: dg.DagsterInstance, name: str, cursor: Cursor, now: datetime) -> None:
    """Counts a launch that failed, was cancelled or vanished; forgets the report after a success."""
    one = cursor.waiting[name]
    launched_at = datetime.fromisoformat(one.at)
    records = history.ingestions_of(instance, name, launched_at)
    statuses = {record.dagster_run.status for record in records}
    if dg.DagsterRunStatus.SUCCESS in statuses:
        del cursor.waiting[name]
    elif records and not statuses & set(history.UNFINISHED):
        failure = failure_of(instance, records[0].dagster_run.run_id)
        _count(one, failure, history.as_utc(records[0].update_timestamp))
        if failure.hopeless:
            cursor.gave_up[name] = f"Gave up on the report of {name}: {failure.error[:300]}"
            del cursor.waiting[name]
    elif not records and now - launched_at > timedelta(seconds=VANISHED_SECONDS):
        _count(one, UNKNOWN_FAILURE, now)


def _count(one: Waiting, failure: RunFailure, at: datetime) -> None:
    one.at, one.failed, one.failures, one.error = at.isoformat(), True, one.failures + 1, failure.error[:300]


def _reason(reported: Collection[str], known: Collection[str], cursor: Cursor) -> str:
    said = ["No new report on source_updates."]
    if reported:
        unknown = ", ".join(repr(name) if name else "a report without a source" for name in reported)
        said = [f"Ignored, for no source has this name: {unknown}. Configured: {', '.join(known) or 'none'}."]
    for name, one in cursor.waiting.items():
        if one.failed:
            again = datetime.fromisoformat(one.at) + backoff(one.failures)
            said.append(f"The report of {name} is tried again at {again:%H:%M:%S} UTC: {one.error}")
    return " ".join([*said, *cursor.gave_up.values()])
