"""What runs by the clock: each source at its own cron line, the upkeep, and the report of each day's spending.

All but the last tick every minute and read their times from the configuration then, so that a new time counts at once.
After a time when nothing ran, what was missed is made up for once.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
from croniter import croniter

from rag_assets.automation import history
from rag_assets.automation.chain_jobs import collect_and_tune
from rag_assets.automation.jobs import ingest_source, maintenance_job, spend_report_job
from rag_assets.automation.opening import with_project
from rag_assets.automation.tuning_start import why_not_now
from rag_assets.config import Settings
from rag_assets.project import Project
from rag_assets.resources.project import ProjectResource

DUE_TAG = "rag_assets/due"
EVERY_MINUTE = "* * * * *"
MINUTE = timedelta(minutes=1)


@dg.schedule(
    job=ingest_source,
    cron_schedule=EVERY_MINUTE,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Only looks every minute, which is what the UI shows as its times: it ingests each source at its own "
    "refresh_cron, beside the watch of its files, in one run per source that is due. Off with automation.schedules.",
)
def refresh_by_cron(
    context: dg.ScheduleEvaluationContext, project: ProjectResource
) -> dg.SkipReason | list[dg.RunRequest]:
    settings = with_project(project, lambda opened: opened.settings)
    if isinstance(settings, dg.SkipReason):
        return settings
    if not settings.automation.schedules:
        return dg.SkipReason("Off: automation.schedules is false in the configuration.")
    minute = context.scheduled_execution_time.astimezone(UTC)
    lines = {name: source.refresh_cron for name, source in settings.sources.items() if source.refresh_cron}
    if not lines:
        return dg.SkipReason("No source has a refresh_cron.")
    partitions = set(context.instance.get_dynamic_partitions("sources"))
    requests = []
    for name in sorted(lines.keys() & partitions):
        due = _due(context.instance, lines[name], minute, refresh_by_cron.name, name)
        if due is not None:
            requests.append(dg.RunRequest(f"{name}@{due}", partition_key=name, tags=_tags(due)))
    return requests or dg.SkipReason(f"None of {len(lines)} sources is due. Next: {_next(lines, minute)}.")


@dg.schedule(
    job=maintenance_job,
    cron_schedule=EVERY_MINUTE,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Only looks every minute, which is what the UI shows as its times: it runs the upkeep at "
    "automation.maintenance_cron, by default Sundays at 03:00 UTC. Off with maintenance_cron: null.",
)
def maintenance_by_cron(
    context: dg.ScheduleEvaluationContext, project: ProjectResource
) -> dg.SkipReason | dg.RunRequest:
    line = with_project(project, lambda opened: _maintenance_cron(opened.settings))
    if isinstance(line, dg.SkipReason):
        return line
    if line is None:
        return dg.SkipReason("Off: automation.maintenance_cron is null in the configuration.")
    minute = context.scheduled_execution_time.astimezone(UTC)
    due = _due(context.instance, line, minute, maintenance_by_cron.name)
    if due is None:
        return dg.SkipReason(f"Not due. Next: {_next({'maintenance': line}, minute)}.")
    return dg.RunRequest(f"maintenance@{due}", tags=_tags(due))


@dg.schedule(
    job=spend_report_job,
    cron_schedule="5 0 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Reports what models cost, shortly after each day in UTC on which any was asked. Off with "
    "automation.schedules.",
)
def report_spending_by_day(
    context: dg.ScheduleEvaluationContext, project: ProjectResource
) -> dg.SkipReason | dg.RunRequest:
    today = context.scheduled_execution_time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    calls = with_project(project, lambda opened: _calls_of(opened, today - timedelta(days=1), today))
    if isinstance(calls, dg.SkipReason):
        return calls
    if calls is None:
        return dg.SkipReason("Off: automation.schedules is false in the configuration.")
    if not calls:
        return dg.SkipReason(f"No model was asked anything on {today - timedelta(days=1):%Y-%m-%d}.")
    return dg.RunRequest(f"spending@{today:%Y-%m-%d}", tags=_tags(today.isoformat()))


def _calls_of(project: Project, since: datetime, until: datetime) -> int | None:
    if not project.settings.automation.schedules:
        return None
    return sum(total.calls for total in project.ledger.costs(["day"], since=since, until=until).values())


@dg.schedule(
    job=collect_and_tune,
    cron_schedule=EVERY_MINUTE,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Only looks every minute, which is what the UI shows as its times: it collects the examples and tunes "
    "at tuning.start.cron, if nothing stands in the way. What was trained already is not trained or paid again.",
)
def tune_by_cron(context: dg.ScheduleEvaluationContext, project: ProjectResource) -> dg.SkipReason | dg.RunRequest:
    minute = context.scheduled_execution_time.astimezone(UTC)
    return with_project(project, lambda opened: tuning_at(opened, context.instance, minute))


def tuning_at(project: Project, instance: dg.DagsterInstance, minute: datetime) -> dg.SkipReason | dg.RunRequest:
    """What `tune_by_cron` launches at `minute`, or why it launches nothing."""
    line = project.settings.tuning.start.cron
    if line is None:
        return dg.SkipReason("Off: tuning.start.cron is null in the configuration.")
    due = _due(instance, line, minute, tune_by_cron.name)
    if due is None:
        return dg.SkipReason(f"Not due. Next: {_next({'tuning': line}, minute)}.")
    reason = why_not_now(project, instance)
    # After the first launch, a time that something stood in the way of is made up for when that has gone.
    return dg.SkipReason(f"Due since {due}. {reason}") if reason else dg.RunRequest(f"tuning@{due}", tags=_tags(due))


def _maintenance_cron(settings: Settings) -> str | None:
    return settings.automation.maintenance_cron


def _tags(due: str) -> dict[str, str]:
    return {DUE_TAG: due, "rag_assets/launched_by": "schedule"}


def _due(
    instance: dg.DagsterInstance, line: str, minute: datetime, schedule: str, source: str | None = None
) -> str | None:
    """The time of `line` that is due at `minute` and was not launched yet; None when none is.

    Without an earlier launch only `minute` itself counts: a line that was just written makes up for nothing.
    """
    newest: datetime = croniter(line, minute + MINUTE).get_prev(datetime)
    due = newest.isoformat()
    launched = history.newest_tag(instance, DUE_TAG, schedule=schedule, source=source)
    if launched is None:
        return due if newest == minute else None
    return due if newest > datetime.fromisoformat(launched) else None


def _next(lines: dict[str, str], minute: datetime) -> str:
    times: dict[str, datetime] = {name: croniter(line, minute).get_next(datetime) for name, line in lines.items()}
    name = min(times, key=lambda key: times[key])
    return f"{name} at {times[name]:%Y-%m-%d %H:%M} UTC"


SCHEDULES = [refresh_by_cron, tune_by_cron, maintenance_by_cron, report_spending_by_day]
