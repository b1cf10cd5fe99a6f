"""Ticks of the sensors in this process, with the runs that they ask for run here too."""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg

from rag_assets.assets import sync_partitions
from rag_assets.automation.runs import RunOutcome, run_job
from rag_assets.automation.sensors import files, settled
from rag_assets_tests.conftest import SmallProject


@dataclass
class Watcher:
    """The watch of a project, with the cursor that the daemon would keep."""

    project: SmallProject
    cursor: str | None = None

    def tick(self) -> dg.SensorResult:
        """One tick, whose cursor is kept."""
        with self.project.open() as opened:
            sync_partitions(self.project.instance, opened)
            result = files.tick(opened, self.project.instance, self.cursor)
        self.cursor = result.cursor
        return result

    def launched(self) -> list[str]:
        """The sources that one tick asks to ingest."""
        return [str(request.partition_key) for request in self.tick().run_requests or []]

    def said(self) -> str:
        """What a tick says that launches nothing."""
        result = self.tick()
        assert not result.run_requests, result.run_requests
        assert result.skip_reason is not None
        return str(result.skip_reason.skip_message)


def ingest_one(project: SmallProject, source: str) -> RunOutcome:
    """The run that the watch asks for."""
    from rag_assets.definitions import defs

    with project.open() as opened:
        sync_partitions(project.instance, opened)
    return run_job(project.instance, defs.resolve_job_def("ingest_source"), source, partition_key=source)


def settle(project: SmallProject) -> dg.SensorResult:
    """One tick of the sensor that releases."""
    with project.open() as opened:
        return settled.tick(opened, project.instance)


def release_as_asked(project: SmallProject) -> RunOutcome:
    """One tick of the sensor that releases, which must ask for a run, and that run."""
    from rag_assets.definitions import defs

    requests = settle(project).run_requests
    assert requests is not None
    assert len(requests) == 1
    tags = {**requests[0].tags, "dagster/sensor_name": settled.NAME}
    return run_job(project.instance, defs.resolve_job_def("release_index"), "release", tags=tags)


def release_by_hand(project: SmallProject) -> RunOutcome:
    """A release that a person launches: no sensor has named the state."""
    from rag_assets.definitions import defs

    return run_job(project.instance, defs.resolve_job_def("release_index"), "release")


def said(result: dg.SensorResult) -> str:
    """Why a tick launched nothing."""
    assert not result.run_requests, result.run_requests
    assert result.skip_reason is not None
    return str(result.skip_reason.skip_message)


def unfinished_run(project: SmallProject, source: str, *, tags: dict[str, str] | None = None) -> dg.DagsterRun:
    """A run of `ingest_source` that has not started."""
    from rag_assets.definitions import defs

    with project.open() as opened:
        sync_partitions(project.instance, opened)
    return project.instance.create_run_for_job(
        defs.resolve_job_def("ingest_source"),
        tags={"dagster/partition": source, **(tags or {})},
    )
