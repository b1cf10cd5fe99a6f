"""The upkeep of everything that grows: tables, former releases, model answers kept for reuse, and Dagster's runs."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from rag_assets.assets.run_retention import delete_old_runs
from rag_assets.ingestion.fetching import collect_originals
from rag_assets.ingestion.landing import take_over_all
from rag_assets.releasing.generations import drop_unneeded
from rag_assets.releasing.retention import prune
from rag_assets.resources.project import ProjectResource
from rag_assets.store.maintenance import Compaction, TableState, compact_all

RETRY = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
COMPLETIONS_DAYS = 365
"""What a model said is reused for an equal question; after so long nobody asks the same again."""


DESCRIPTION = """Keeps the project quick and small, while it is in use.

Lets go of releases that `releases.keep` and `releases.keep_days` do not ask for, removes the index of a generation that
nothing has needed for `releases.keep_generations_days`, merges the small files that writes leave, brings all rows into
the indices, removes versions of tables that neither a release nor a reader needs, and deletes runs of Dagster older
than `automation.keep_runs_days`, but the newest of each asset and source.

Runs at `automation.maintenance_cron`, by default Sundays at 03:00 UTC. The schedule that this page shows as "every
minute" only looks each minute whether that time has come.
"""


# One asset, written as a multi asset because its step needs a name other than that of the job `maintenance`.
@dg.multi_asset(
    name="keep_in_shape",
    specs=[
        dg.AssetSpec(
            "maintenance",
            group_name="operations",
            kinds={"lancedb"},
            owners=["team:knowledge"],
            code_version="1",
            description=DESCRIPTION,
        )
    ],
    retry_policy=RETRY,
)
def maintenance(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
    """See `DESCRIPTION`."""
    now = datetime.now(UTC)
    with project.open() as opened:
        releases = opened.settings.releases
        pruned = prune(opened.store, opened.ledger, keep=releases.keep, keep_days=releases.keep_days)
        take_over_all(opened.spool_dir, opened.store, opened.ledger)
        dropped = drop_unneeded(
            opened.store,
            opened.ledger,
            opened.generation,
            keep_days=releases.keep_generations_days,
            keep_embeddings_days=opened.settings.store.keep_embeddings_days,
        )
        originals, original_bytes = collect_originals(opened.settings, opened.store)
        opened.index.ensure_indices()
        compacted = compact_all(opened.store)
        completions = opened.ledger.forget_completions(now - timedelta(days=COMPLETIONS_DAYS))
        keep_runs = timedelta(days=opened.settings.automation.keep_runs_days)
    runs = delete_old_runs(context.instance, now - keep_runs)
    before = [one.before for one in compacted if one.before]
    after = [one.after for one in compacted if one.after]
    return dg.MaterializeResult(
        metadata={
            "tables": len(after),
            "fragments_before": sum(state.fragments for state in before),
            "fragments": sum(state.fragments for state in after),
            "versions_before": sum(state.versions for state in before),
            "versions": sum(state.versions for state in after),
            "rows_unindexed_before": sum(state.unindexed_rows for state in before),
            "rows_unindexed": sum(state.unindexed_rows for state in after),
            "data_bytes_before": sum(state.data_bytes for state in before),
            "data_bytes": sum(state.data_bytes for state in after),
            **_disk_bytes("disk_bytes_before", before),
            **_disk_bytes("disk_bytes", after),
            "releases_pruned": len(pruned.pruned),
            "tables_dropped": len(dropped.tables),
            "bytes_dropped": dropped.bytes,
            "dropped": ", ".join(dropped.tables) or "none",
            "originals_removed": originals,
            "originals_bytes_removed": original_bytes,
            "completions_forgotten": completions,
            "runs_deleted": runs,
            "by_table": dg.MetadataValue.md(_by_table(compacted)),
        }
    )


def _disk_bytes(key: str, states: Sequence[TableState]) -> dict[str, int]:
    """What all files take, those of old versions too; no figure where one of the tables has none."""
    sizes = [state.disk_bytes for state in states if state.disk_bytes is not None]
    return {key: sum(sizes)} if len(sizes) == len(states) else {}


def _by_table(compacted: Iterable[Compaction]) -> str:
    header = [
        "| table | rows | fragments | versions | unindexed rows | bytes of the newest version | bytes on disk |",
        "|---|---|---|---|---|---|---|",
    ]
    lines = [_line(one.before, one.after) for one in compacted if one.before and one.after]
    return "\n".join(header + lines)


def _line(before: TableState, after: TableState) -> str:
    figures = (
        (before.fragments, after.fragments),
        (before.versions, after.versions),
        (before.unindexed_rows, after.unindexed_rows),
        (before.data_bytes, after.data_bytes),
        (before.disk_bytes, after.disk_bytes),
    )
    cells = [f"{_figure(was)} → {_figure(now)}" for was, now in figures]
    return f"| {after.name} | {after.rows:,} | {' | '.join(cells)} |"


def _figure(value: int | None) -> str:
    return "not counted" if value is None else f"{value:,}"
