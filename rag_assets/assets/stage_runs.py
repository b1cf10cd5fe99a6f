"""Which run left a stage in which state, kept in the ledger: Dagster's own events go with its runs."""

from __future__ import annotations

import dagster as dg

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
