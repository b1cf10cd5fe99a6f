"""Jobs for people: start everything, and start anew."""

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorStatus
from pydantic import Field

from rag_assets.automation.history import UNFINISHED
from rag_assets.project import Project
from rag_assets.resources.project import ProjectResource

CONFIRMATION = "delete everything"


def turn_on_automation(instance: dg.DagsterInstance) -> list[str]:
    """Gives every sensor and schedule that was stopped in the UI back to the code, which runs it; returns their names.

    What the configuration switches off stays off: it says so in its ticks.
    """
    stopped = instance.all_instigator_state(instigator_statuses={InstigatorStatus.STOPPED})
    for state in stopped:
        instance.update_instigator_state(state.with_status(InstigatorStatus.DECLARED_IN_CODE))
    return sorted(state.instigator_name for state in stopped)


class ResetConfig(dg.Config):
    """What a person types to say that this is meant."""

    confirmation: str = Field(
        default="", description=f'Type "{CONFIRMATION}" (without the quotes). Anything else deletes nothing.'
    )


@dg.op(out=dg.Out(dg.Nothing))
def delete_tables_and_ledger(context: dg.OpExecutionContext, config: ResetConfig, project: ProjectResource) -> None:
    """Drops this project's tables and empties its ledger, when the confirmation is typed and nothing else runs."""
    if config.confirmation != CONFIRMATION:
        raise dg.Failure(
            f'Nothing was deleted: confirmation must be "{CONFIRMATION}". Launch the job again with it in the run '
            "configuration.",
            allow_retries=False,
        )
    runs = context.instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    names = sorted({run.job_name for run in runs if run.run_id != context.run_id})
    if names:
        raise dg.Failure(f"Nothing was deleted, for runs are under way: {', '.join(names)}.", allow_retries=False)
    with project.open() as opened:
        tables, rows = delete_everything(opened)
    context.log.info(f"Deleted {len(tables)} tables and {rows:,} rows of the ledger. The documents were not touched.")


def delete_everything(project: Project) -> tuple[list[str], int]:
    """Empties the ledger, then drops the tables: nothing serves from rows that are gone. Returns tables and rows."""
    from rag_assets.ledger.emptying import empty
    from rag_assets.store.maintenance import own_tables

    rows = empty(project.ledger)
    tables = own_tables(project.store)
    for name in tables:
        project.store.drop(name)
    return tables, rows


@dg.job(
    executor_def=dg.in_process_executor,
    description="Deletes all tables and the ledger of this project: documents, vectors, releases, answers, costs. "
    f'Needs confirmation: "{CONFIRMATION}" in the run configuration. The source files and Dagster\'s run history stay '
    "(rag-assets reset --yes, while nothing runs, deletes that too). The watch then ingests everything anew.",
)
def reset_everything() -> None:
    delete_tables_and_ledger()
