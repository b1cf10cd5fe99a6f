"""A broken configuration is one sentence in the ticks; what nobody foresaw still fails them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg
import pytest

from rag_assets.automation.opening import with_project
from rag_assets.automation.schedules import maintenance_by_cron, refresh_by_cron
from rag_assets.automation.sensors.files import watch_files
from rag_assets.automation.sensors.partitions import sync_sources
from rag_assets.automation.sensors.reports import ingest_reported
from rag_assets.automation.sensors.settled import release_when_settled
from rag_assets.project import Project
from rag_assets.resources.project import ProjectResource
from rag_assets_tests.conftest import SmallProject


@pytest.mark.parametrize("sensor", [watch_files, sync_sources, ingest_reported, release_when_settled])
def test_a_sensor_says_what_is_wrong_with_the_configuration_and_keeps_its_cursor(
    small_project: SmallProject, sensor: Callable[[dg.SensorEvaluationContext], object]
) -> None:
    small_project.configure("chunking:\n  max_tokens: many")
    resources = {"project": ProjectResource()}
    with dg.build_sensor_context(small_project.instance, cursor="{}", resources=resources) as context:
        result = sensor(context)
    assert isinstance(result, dg.SkipReason)
    said = str(result.skip_message)
    assert "max_tokens" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("schedule", [refresh_by_cron, maintenance_by_cron])
def test_a_schedule_says_what_is_wrong_with_the_configuration(
    small_project: SmallProject, schedule: Callable[[dg.ScheduleEvaluationContext], object]
) -> None:
    small_project.configure("chunking:\n  max_tokens: many")
    with (
        dg.DagsterInstance.local_temp(str(small_project.root)) as instance,
        dg.build_schedule_context(
            instance,
            scheduled_execution_time=datetime(2026, 6, 1, 6, tzinfo=UTC),
            resources={"project": ProjectResource()},
        ) as context,
    ):
        result = schedule(context)
    assert isinstance(result, dg.SkipReason)
    assert "max_tokens" in str(result.skip_message)


def test_an_error_that_nobody_foresaw_fails_the_tick(small_project: SmallProject) -> None:
    def broken(project: Project) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        with_project(ProjectResource(), broken)
