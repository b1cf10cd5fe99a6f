"""Keeps Dagster's partitions, one per source, in step with the configuration."""

from __future__ import annotations

import dagster as dg

from rag_assets.assets import sync_partitions
from rag_assets.project import Project
from rag_assets.resources.project import ProjectResource


@dg.sensor(
    target=None,
    minimum_interval_seconds=4,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes Dagster's partitions exactly the configured sources. A source that left the configuration is "
    "denied at once and its documents are dropped. Off with automation.sync_sources.",
)
def sync_sources(context: dg.SensorEvaluationContext, project: ProjectResource) -> dg.SkipReason:
    with project.open() as opened:
        return dg.SkipReason(tick(opened, context.instance))


def tick(project: Project, instance: dg.DagsterInstance) -> str:
    """Says what it did. Nothing is launched here: the watch sees a new source at its next look."""
    if not project.settings.automation.sync_sources:
        return "Off: automation.sync_sources is false in the configuration."
    changes = sync_partitions(instance, project)
    for name in changes.removed:
        project.ledger.forget_watch(name)
    count = len(project.source_names)
    said = [f"{count:,} source{'s' if count != 1 else ''}, in step with the configuration."]
    if changes.added:
        said.append(f"Added: {', '.join(changes.added)}.")
    if changes.removed:
        said.append(f"Removed: {', '.join(changes.removed)}; not answered from any more.")
    if changes.warning:
        said.append(changes.warning)
    return " ".join(said)
