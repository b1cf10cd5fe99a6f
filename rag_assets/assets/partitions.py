"""One dynamic partition per source, and one per set of examples, in step with the configuration."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import dagster as dg

from rag_assets.config import SOURCES_WARN_ABOVE
from rag_assets.ingestion.vanished import (
    GONE,
    describe_held,
    fix_of_held,
    held_sources,
    record_held_sources,
)
from rag_assets.project import Project

SOURCES = dg.DynamicPartitionsDefinition(name="sources")
EXAMPLE_SETS = dg.DynamicPartitionsDefinition(name="example_sets")


@dataclass(frozen=True, slots=True)
class PartitionChanges:
    """Which sources were added to and removed from the instance's partitions.

    `held` left the configuration too, but too many at once: they wait for a person. `warning` is for people.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    warning: str | None
    held: tuple[str, ...] = ()


def sync_partitions(
    instance: dg.DagsterInstance,
    project: Project,
    *,
    removable: Collection[str] | None = None,
    confirmed: bool = False,
) -> PartitionChanges:
    """Makes the partitions the configured sources.

    A source that left the configuration is forgotten, deny-list first. One that came back starts empty and stays denied
    until a release holds it again. Where too many left at once, none of them is forgotten before a person has
    `confirmed` it (see `ingestion.vanished`). With `removable`, no other source is forgotten.
    """
    configured = set(project.source_names)
    present = set(instance.get_dynamic_partitions(str(SOURCES.name)))
    held = {} if confirmed else _held(project, present, configured)
    record_held_sources(project.ledger, held)
    removed = present - configured - held.keys()
    if confirmed:  # also what only another DAGSTER_HOME knew
        removed |= set(project.store.sources()) - configured
    if removable is not None:
        removed &= set(removable)
    for name in sorted(removed):
        project.forget_source(name)
        if name in present:
            instance.delete_dynamic_partition(str(SOURCES.name), name)
    added = sorted(configured - present)
    if added:
        instance.add_dynamic_partitions(str(SOURCES.name), added)
    return PartitionChanges(
        tuple(added), tuple(sorted(removed)), _warning(held, configured) or None, held=tuple(sorted(held))
    )


@dataclass(frozen=True, slots=True)
class SetChanges:
    """Which sets of examples were added to and removed from the instance's partitions."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


def sync_example_sets(
    instance: dg.DagsterInstance, project: Project, *, removable: Collection[str] | None = None
) -> SetChanges:
    """Makes the partitions the configured sets of examples. With `removable`, no other set is forgotten.

    The rows of a set that left the configuration are dropped; its files are not touched, so a set that comes back is
    read again.
    """
    configured = set(project.settings.examples)
    present = set(instance.get_dynamic_partitions(str(EXAMPLE_SETS.name)))
    if removable is None:  # also what only another DAGSTER_HOME knew
        removed = (present | set(project.store.example_sets())) - configured
    else:  # the store is not asked: this is done every few seconds
        removed = (present - configured) & set(removable)
    for name in sorted(removed):
        project.store.drop(project.store.training_examples(name).name)
        if name in present:
            instance.delete_dynamic_partition(str(EXAMPLE_SETS.name), name)
    added = sorted(configured - present)
    if added:
        instance.add_dynamic_partitions(str(EXAMPLE_SETS.name), added)
    return SetChanges(tuple(added), tuple(sorted(removed)))


def _held(project: Project, present: set[str], configured: set[str]) -> dict[str, str]:
    """Asks the store only where something may be held: this is done every few seconds."""
    if present <= configured and not any(hold.digest == GONE for hold in project.ledger.holds()):
        return {}
    return held_sources(project.store, project.ledger, configured)


def _warning(held: dict[str, str], configured: set[str]) -> str:
    said = [f"{describe_held(held)} {fix_of_held(held, configured=configured)}"] if held else []
    if len(configured) > SOURCES_WARN_ABOVE:
        said.append(
            f"{len(configured):,} sources: above {SOURCES_WARN_ABOVE:,} the Dagster UI becomes slow; group them."
        )
    return " ".join(said)
