"""The jobs. One source is one in-process run, so that a blocking check stops exactly that source."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from rag_assets.assets import EVALUATION_ASSETS, INGESTION_ASSETS, RELEASE_ASSETS, sync_partitions
from rag_assets.assets.maintenance import maintenance
from rag_assets.assets.spending import spend_report
from rag_assets.automation.chain_jobs import collect_and_tune
from rag_assets.automation.example_jobs import collect_examples
from rag_assets.automation.helper_jobs import reset_everything, turn_on_automation
from rag_assets.automation.runs import Jobs, refresh
from rag_assets.automation.tuning_jobs import finish_tuning, tune_model
from rag_assets.resources.project import ProjectResource

ingest_source = dg.define_asset_job(
    name="ingest_source",
    selection=dg.AssetSelection.assets(*INGESTION_ASSETS),
    executor_def=dg.in_process_executor,
    description="Brings one source up to date: documents, chunks, vectors and its rows in the index. Releases nothing.",
)

release_index = dg.define_asset_job(
    name="release_index",
    selection=dg.AssetSelection.assets(*RELEASE_ASSETS),
    executor_def=dg.in_process_executor,
    description="Pins the index over all sources, judges it, and releases it when every gate passed.",
)

evaluate_index = dg.define_asset_job(
    name="evaluate_index",
    selection=dg.AssetSelection.assets(*EVALUATION_ASSETS),
    executor_def=dg.in_process_executor,
    description="Asks the golden questions of the newest snapshot and judges it. Releases nothing.",
)

maintenance_job = dg.define_asset_job(
    name="maintenance",
    selection=dg.AssetSelection.assets(maintenance, spend_report),
    executor_def=dg.in_process_executor,
    description="Compacts the tables, prunes former releases, deletes runs older than automation.keep_runs_days, and "
    "reports what models cost.",
)

spend_report_job = dg.define_asset_job(
    name="report_spending",
    selection=dg.AssetSelection.assets(spend_report),
    executor_def=dg.in_process_executor,
    description="Reports what models cost this month and each day, beside the budgets.",
)


@dg.op(out=dg.Out(dg.Nothing))
def refresh_every_source(context: dg.OpExecutionContext, project: ProjectResource) -> None:
    """Runs `ingest_source` for every source, then `release_index`; fails at the end when any of them failed."""
    _refresh(context, project)


@dg.op(out=dg.Out(dg.Nothing))
def turn_on_and_refresh(context: dg.OpExecutionContext, project: ProjectResource) -> None:
    """Turns on what was stopped in the UI, then does what `refresh_all` does."""
    turned_on = turn_on_automation(context.instance)
    context.log.info(f"Turned on: {', '.join(turned_on)}." if turned_on else "No sensor and no schedule was stopped.")
    _refresh(context, project)


def _refresh(context: dg.OpExecutionContext, project: ProjectResource) -> None:
    jobs = Jobs(
        ingest_source=context.repository_def.get_job(ingest_source.name),
        release_index=context.repository_def.get_job(release_index.name),
    )
    with project.open() as opened:
        changes = sync_partitions(context.instance, opened)
        if changes.warning:
            context.log.warning(changes.warning)
        names = opened.source_names
    outcome = refresh(context.instance, jobs, names, tags={"rag_assets/launched_by": context.run_id})
    for run in outcome.runs:
        context.log.info(f"{run.label}: run {run.run_id} {'succeeded' if run.succeeded else f'failed: {run.error}'}")
    failed = [run.label for run in outcome.runs if not run.succeeded]
    if failed:
        raise dg.Failure(f"Failed: {', '.join(failed)}. The other sources went on.", allow_retries=False)


@dg.job(
    executor_def=dg.in_process_executor,
    description="Every source in its own run, then one release. A source that fails does not hold the others back.",
)
def refresh_all() -> None:
    refresh_every_source()


@dg.job(
    executor_def=dg.in_process_executor,
    description="Turns on every sensor and schedule that was stopped in the UI, then brings every source up to date "
    "and releases, as refresh_all does. What the configuration switches off stays off.",
)
def start_everything() -> None:
    turn_on_and_refresh()


JOBS: Sequence[Any] = [
    ingest_source,
    release_index,
    evaluate_index,
    refresh_all,
    collect_examples,
    tune_model,
    collect_and_tune,
    finish_tuning,
    maintenance_job,
    spend_report_job,
    start_everything,
    reset_everything,
]
