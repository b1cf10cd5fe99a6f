"""One dynamic partition per source, in step with the configuration."""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg

from rag_assets.config import SOURCES_WARN_ABOVE
from rag_assets.project import Project

SOURCES = dg.DynamicPartitionsDefinition(name="sources")


@dataclass(frozen=True, slots=True)
class PartitionChanges:
    """Which sources were added to and removed from the instance's partitions."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    warning: str | None


def sync_partitions(instance: dg.DagsterInstance, project: Project) -> PartitionChanges:
    """Makes the partitions exactly the configured sources.

    A source that left the configuration is forgotten, deny-list first. One that came back starts empty and stays denied
    until a release holds it again.
    """
    configured = set(project.source_names)
    present = set(instance.get_dynamic_partitions(str(SOURCES.name)))
    for name in sorted(present - configured):
        project.forget_source(name)
        instance.delete_dynamic_partition(str(SOURCES.name), name)
    added = sorted(configured - present)
    if added:
        instance.add_dynamic_partitions(str(SOURCES.name), added)
    warning = None
    if len(configured) > SOURCES_WARN_ABOVE:
        warning = f"{len(configured):,} sources: above {SOURCES_WARN_ABOVE:,} the Dagster UI becomes slow; group them."
    return PartitionChanges(tuple(added), tuple(sorted(present - configured)), warning)
