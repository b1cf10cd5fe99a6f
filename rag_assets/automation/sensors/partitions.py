"""Keeps Dagster's partitions, one per source and one per set of examples, in step with the configuration."""

from __future__ import annotations

import json

import dagster as dg

from rag_assets.assets import EXAMPLE_SETS, SOURCES, sync_example_sets, sync_partitions
from rag_assets.automation.opening import with_project
from rag_assets.checks.warnings import watch_verdict
from rag_assets.project import Project
from rag_assets.resources.project import ProjectResource


@dg.sensor(
    target=None,
    minimum_interval_seconds=4,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes Dagster's partitions the configured sources. A source that two looks in a row did not find in "
    "the configuration is denied and its documents are dropped. When all or most of them are gone at once, nothing is "
    "removed before a person says so. Sets of examples are kept in step likewise. Off with automation.sync_sources.",
)
def sync_sources(context: dg.SensorEvaluationContext, project: ProjectResource) -> dg.SensorResult | dg.SkipReason:
    return with_project(project, lambda opened: tick(opened, context.instance, context.cursor))


def tick(project: Project, instance: dg.DagsterInstance, cursor_text: str | None) -> dg.SensorResult:
    """Says what it did. Nothing is launched here: the watch sees a new source at its next look.

    The cursor holds the sources and the sets of examples that this look missed, for what one look alone misses may be
    half-written; and the paused sources, so that a pause and its end each become one verdict of the check
    `watch_running`.
    """
    cursor = json.loads(cursor_text) if cursor_text else {"missed": [], "paused": []}
    watches = {name: watch for name, watch in project.ledger.watches().items() if name in project.settings.sources}
    paused = {name for name, watch in watches.items() if watch.paused_at is not None}
    events = [watch_verdict(name, watches.get(name)) for name in sorted(paused ^ set(cursor["paused"]))]
    cursor["paused"] = sorted(paused)
    if not project.settings.automation.sync_sources:
        off = "Off: automation.sync_sources is false in the configuration."
        return dg.SensorResult(skip_reason=off, asset_events=events, cursor=json.dumps(cursor))
    missed = set(instance.get_dynamic_partitions(str(SOURCES.name))) - set(project.source_names)
    changes = sync_partitions(instance, project, removable=missed & set(cursor["missed"]))
    cursor["missed"] = sorted(missed)
    for name in changes.removed:
        project.ledger.forget_watch(name)
    count = len(project.source_names)
    waiting = sorted(missed - set(changes.removed) - set(changes.held))
    said = [f"{count:,} source{'s' if count != 1 else ''} configured."]
    if changes.added:
        said.append(f"Added: {', '.join(changes.added)}.")
    if changes.removed:
        said.append(f"Removed: {', '.join(changes.removed)}; not answered from any more.")
    if waiting:
        said.append(f"Gone from the configuration: {', '.join(waiting)}; removed if the next look misses it too.")
    said += _sync_sets(project, instance, cursor)
    if changes.warning:
        said.append(changes.warning)
    return dg.SensorResult(skip_reason=" ".join(said), asset_events=events, cursor=json.dumps(cursor))


def _sync_sets(project: Project, instance: dg.DagsterInstance, cursor: dict[str, list[str]]) -> list[str]:
    """Keeps the sets of examples in step, by the same rule of two looks; what it did, as sentences."""
    missed = set(instance.get_dynamic_partitions(str(EXAMPLE_SETS.name))) - set(project.settings.examples)
    changes = sync_example_sets(instance, project, removable=missed & set(cursor.get("missed_sets", ())))
    cursor["missed_sets"] = sorted(missed - set(changes.removed))
    done = ((changes.added, "added"), (changes.removed, "forgotten"))
    return [f"Sets of examples {what}: {', '.join(names)}." for names, what in done if names]
