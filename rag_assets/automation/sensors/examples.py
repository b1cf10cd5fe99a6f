"""Collects the sets of examples that changed. What happened last is read from the runs: see `attempts.py`."""

from __future__ import annotations

import dagster as dg

from rag_assets.assets import EXAMPLE_SETS
from rag_assets.assets.release_state import STATE_TAG
from rag_assets.automation import history
from rag_assets.automation.attempts import attempts_of, is_due
from rag_assets.automation.example_jobs import collect_examples
from rag_assets.automation.opening import with_project
from rag_assets.automation.orphans import end_orphans
from rag_assets.project import Project
from rag_assets.resources.project import ProjectResource
from rag_assets.tuning.state import example_set_state

LAUNCHED_BY = {"rag_assets/launched_by": "examples changed"}


@dg.sensor(
    job=collect_examples,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Collects a set of examples when its files, golden questions or ratings changed. Trains nothing. A set "
    "that fails is tried again after a growing wait, and paused after automation.pause_after_failures failures in a "
    "row; one with a mistake in its files waits for a change. Off with watch: false of a set.",
)
def collect_changed_examples(
    context: dg.SensorEvaluationContext, project: ProjectResource
) -> dg.SensorResult | dg.SkipReason:
    return with_project(project, lambda opened: collecting_tick(opened, context.instance))


def collecting_tick(project: Project, instance: dg.DagsterInstance) -> dg.SensorResult:
    """Launches the collection of the sets that changed, or says why none."""
    end_orphans(instance)
    known = set(instance.get_dynamic_partitions(str(EXAMPLE_SETS.name)))
    names = [name for name, one in sorted(project.settings.examples.items()) if one.watch and name in known]
    if not names:
        return dg.SensorResult(skip_reason="No set of examples is configured, or none is watched.")
    pause = project.settings.automation.pause_after_failures
    under_way = history.under_way(instance).example_sets
    requests, said = [], []
    for name in names:
        if name in under_way:
            said.append(f"{name} is being collected")
            continue
        state = example_set_state(project, name)
        found = attempts_of(instance, collect_examples.name, state, cancels=pause, pause_after=pause, partition=name)
        if is_due(found):
            requests.append(dg.RunRequest(partition_key=name, tags={STATE_TAG: state, **LAUNCHED_BY}))
        elif problem := found.describe(job=collect_examples.name, refused="the set stays as it was. "):
            said.append(f"{name}: {problem}")
    skipped = "; ".join(said) or f"Nothing changed in {len(names)} sets of examples."
    return dg.SensorResult(run_requests=requests, skip_reason=None if requests else skipped)
