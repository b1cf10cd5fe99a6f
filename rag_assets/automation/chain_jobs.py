"""The job that goes from every set of examples to a submitted tuning; the sensors take in what comes of it."""

import dagster as dg

from rag_assets.automation.example_jobs import collect_examples
from rag_assets.automation.tuning_jobs import finish_tuning, tune_model
from rag_assets.automation.tuning_runs import ChainJobs, collect_and_submit
from rag_assets.resources.project import ProjectResource


@dg.op(out=dg.Out(dg.Nothing))
def collect_every_set_and_tune(context: dg.OpExecutionContext, project: ProjectResource) -> None:
    """Runs `collect_examples` for every set, then `tune_model`; fails where one of them does."""
    repository = context.repository_def
    jobs = ChainJobs(
        collect_examples=repository.get_job(collect_examples.name),
        tune_model=repository.get_job(tune_model.name),
        finish_tuning=repository.get_job(finish_tuning.name),
    )
    with project.open() as opened:
        tags = {"rag_assets/launched_by": context.run_id}
        outcome = collect_and_submit(context.instance, jobs, opened, tags=tags)
    for run in outcome.runs:
        context.log.info(f"{run.label}: run {run.run_id} {'succeeded' if run.succeeded else f'failed: {run.error}'}")
    failed = [f"{run.label}: {run.error}" for run in outcome.runs if not run.succeeded]
    if failed:
        raise dg.Failure(f"Nothing was submitted. {'; '.join(failed)}", allow_retries=False)


@dg.job(
    executor_def=dg.in_process_executor,
    description="Collects every set of examples, each in its own run, then writes the training file, judges it and "
    "submits the job; the sensor poll_fine_tuning does the rest. Nothing changed means nothing is trained or paid.",
)
def collect_and_tune() -> None:
    collect_every_set_and_tune()
