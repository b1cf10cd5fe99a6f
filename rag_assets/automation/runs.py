"""Runs the jobs in this process, each as a run of its own that the instance records.

The command line and the job `refresh_all` both come here, so that one rule holds: a source that fails fails alone, and
what the others brought is released.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from rag_assets.assets.metadata import numbers
from rag_assets.automation.failures import failure_in, was_interrupted
from rag_assets.automation.orphans import end_orphans, process_tags

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class Jobs:
    """The resolved jobs of the code location."""

    ingest_source: dg.JobDefinition
    release_index: dg.JobDefinition


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """One run. `materialized` maps an asset's name to the metadata of its materialization, as plain values."""

    label: str
    run_id: str
    succeeded: bool
    error: str | None
    seconds: float
    materialized: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RefreshOutcome:
    """Every source's run by its name, and the run that released, if one was asked for."""

    sources: dict[str, RunOutcome] = field(default_factory=dict)
    release: RunOutcome | None = None

    @property
    def runs(self) -> list[RunOutcome]:
        return [*self.sources.values(), *([self.release] if self.release else [])]


def refresh(
    instance: dg.DagsterInstance,
    jobs: Jobs,
    sources: Sequence[str],
    *,
    release: bool = True,
    tags: Mapping[str, str] | None = None,
    on_start: Callable[[str], None] = lambda label: None,
) -> RefreshOutcome:
    """Runs `ingest_source` for each of `sources`, then `release_index`. Ends runs whose process is gone first."""
    end_orphans(instance)
    outcomes = {}
    for name in sources:
        on_start(name)
        outcomes[name] = run_job(instance, jobs.ingest_source, name, partition_key=name, tags=tags)
    released = None
    if release:
        on_start("release")
        released = run_job(instance, jobs.release_index, "release", tags=tags)
    return RefreshOutcome(outcomes, released)


def run_job(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    label: str,
    *,
    partition_key: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> RunOutcome:
    """Runs `job` here and now. A failing run is an outcome, not an exception; a stopped one is `KeyboardInterrupt`."""
    start = time.perf_counter()
    result = job.execute_in_process(
        instance=instance,
        partition_key=partition_key,
        tags={**process_tags(), **(tags or {})},
        run_config=QUIET,
        raise_on_error=False,
    )
    if was_interrupted(result.all_events):
        raise KeyboardInterrupt
    seconds = time.perf_counter() - start
    materialized = {
        event.asset_key.path[-1]: numbers(event.materialization.metadata)
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key is not None
    }
    failure = failure_in(result.all_events)
    return RunOutcome(label, result.run_id, result.success, failure.error if failure else None, seconds, materialized)
