"""Which run left a stage in which state, kept in the ledger: Dagster's own events go with its runs."""

from __future__ import annotations

import dagster as dg

from rag_assets.ledger import Snapshot
from rag_assets.project import Project


def record_run(
    context: dg.AssetExecutionContext, project: Project, data_version: str, table_version: int | None = None
) -> None:
    """Says that this run left its asset, of its source if it has one, at `data_version`."""
    project.ledger.record_stage_run(
        context.asset_key.path[-1],
        context.partition_key if context.has_partition_key else "",
        data_version,
        run_id=context.run.run_id,
        table_version=table_version,
    )


def links_of_snapshot(project: Project, snapshot: Snapshot) -> dict[str, dg.MetadataValue]:
    """Links from a snapshot to the runs that brought its sources into the index, as far as they are known."""
    lines = []
    for name, version in snapshot.sources.items():
        known = project.ledger.stage_runs("vector_index", name)
        run = next((one.run_id for one in known if one.data_version == version and one.run_id), None)
        lines.append(f"| {name} | {f'[{run[:8]}](/runs/{run})' if run else 'not recorded'} |")
    return {"source_runs": dg.MetadataValue.md("\n".join(["| source | run |", "| --- | --- |", *lines]))}


def links_of_release(project: Project, snapshot_id: str) -> dict[str, dg.MetadataValue]:
    """Links from a release to its snapshot: the asset, and the run that took it, as far as that is known."""
    known = project.ledger.stage_runs("index_snapshot", "")
    run = next((one.run_id for one in reversed(known) if one.data_version == snapshot_id and one.run_id), None)
    return {
        "snapshot_asset": dg.MetadataValue.asset(dg.AssetKey("index_snapshot")),
        **({"snapshot_run": dg.MetadataValue.dagster_run(run)} if run else {}),
    }
