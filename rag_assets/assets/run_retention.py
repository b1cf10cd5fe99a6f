"""Deletes old runs with their events: Dagster itself keeps every event for ever."""

from __future__ import annotations

from datetime import datetime

import dagster as dg

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
RUNS_AT_ONCE = 1_000
"""A project whose runs were never deleted is cleaned up over several rounds of maintenance."""


def delete_old_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Deletes finished runs from before `before`, with events and logs; returns how many.

    The run that materialized an asset, or a partition of it, last is kept however old: the UI would show the asset
    as never materialized.
    """
    filters = dg.RunsFilter(statuses=FINISHED, created_before=before)
    newest: dict[tuple[dg.AssetKey, str | None], str] = {}
    deleted = 0
    for record in instance.get_run_records(filters, limit=RUNS_AT_ONCE, ascending=True):
        run_id = record.dagster_run.run_id
        if any(_newest_run(instance, key, newest) == run_id for key in _materialized_by(instance, run_id)):
            continue
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        deleted += 1
    return deleted


def _materialized_by(instance: dg.DagsterInstance, run_id: str) -> set[tuple[dg.AssetKey, str | None]]:
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    events = [entry.dagster_event for entry in entries if entry.dagster_event]
    return {(event.asset_key, event.partition) for event in events if event.asset_key}


def _newest_run(
    instance: dg.DagsterInstance,
    key: tuple[dg.AssetKey, str | None],
    known: dict[tuple[dg.AssetKey, str | None], str],
) -> str:
    if key not in known:
        asset, partition = key
        found = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[partition] if partition else None), limit=1
        )
        known[key] = found.records[0].run_id if found.records else ""
    return known[key]
