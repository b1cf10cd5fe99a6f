"""Each source at its own time, once, also after a time when nothing ran."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from rag_assets.assets import sync_partitions
from rag_assets.automation.schedules import maintenance_by_cron, refresh_by_cron
from rag_assets.resources.project import ProjectResource
from rag_assets_tests.conftest import SmallProject

SIX = datetime(2026, 6, 1, 6, 0, tzinfo=UTC)  # a Monday


def due(project: SmallProject, schedule: dg.ScheduleDefinition, minute: datetime) -> list[dg.RunRequest]:
    """What the schedule asks for at `minute`; each launch is noted as a run, as the daemon would."""
    from rag_assets.definitions import defs

    with project.open() as opened:
        sync_partitions(project.instance, opened)
    with dg.build_schedule_context(
        project.instance, scheduled_execution_time=minute, resources={"project": ProjectResource()}
    ) as context:
        result: Any = schedule(context)
    if isinstance(result, dg.SkipReason):
        return []
    requests: list[dg.RunRequest] = result if isinstance(result, list) else [result]
    for request in requests:
        tags = {**request.tags, "dagster/schedule_name": schedule.name}
        if request.partition_key:
            tags["dagster/partition"] = request.partition_key
        project.instance.create_run_for_job(defs.resolve_job_def(schedule.job_name), tags=tags)
    return requests


def sources(requests: list[dg.RunRequest]) -> list[str | None]:
    return [request.partition_key for request in requests]


@pytest.fixture
def project(small_project: SmallProject) -> Iterator[SmallProject]:
    small_project.configure(daily="refresh_cron: 0 6 * * *", hourly="refresh_cron: 0 * * * *", never="")
    with dg.DagsterInstance.local_temp(str(small_project.root)) as instance:  # a schedule opens it by its reference
        yield replace(small_project, instance=instance)


def test_each_source_is_launched_at_its_own_minute_and_once(project: SmallProject) -> None:
    assert due(project, refresh_by_cron, SIX - timedelta(minutes=1)) == []
    assert sources(due(project, refresh_by_cron, SIX)) == ["daily", "hourly"]
    assert due(project, refresh_by_cron, SIX) == []
    assert due(project, refresh_by_cron, SIX + timedelta(minutes=1)) == []
    assert sources(due(project, refresh_by_cron, SIX + timedelta(hours=1))) == ["hourly"]


def test_what_was_missed_is_made_up_for_once(project: SmallProject) -> None:
    due(project, refresh_by_cron, SIX)
    back = SIX + timedelta(days=2, hours=3, minutes=17)
    assert sources(due(project, refresh_by_cron, back)) == ["daily", "hourly"]
    assert due(project, refresh_by_cron, back + timedelta(minutes=1)) == []


def test_a_source_can_be_turned_off_by_configuration(project: SmallProject) -> None:
    project.configure("automation:\n  schedules: false", daily="refresh_cron: 0 6 * * *")
    assert due(project, refresh_by_cron, SIX) == []


def test_the_upkeep_runs_at_its_time_which_the_configuration_may_change(project: SmallProject) -> None:
    sunday = datetime(2026, 6, 7, 3, 0, tzinfo=UTC)
    assert due(project, maintenance_by_cron, SIX) == []
    assert len(due(project, maintenance_by_cron, sunday)) == 1
    assert due(project, maintenance_by_cron, sunday + timedelta(minutes=1)) == []
    project.configure("automation:\n  maintenance_cron: 30 4 * * *")
    assert len(due(project, maintenance_by_cron, sunday + timedelta(hours=2))) == 1
    project.configure("automation:\n  maintenance_cron: null")
    assert due(project, maintenance_by_cron, sunday + timedelta(days=7)) == []
