"""A tuning job, submitted without waiting for it, and the model that comes of it."""

import dagster as dg

from rag_assets.assets import tuning_metadata
from rag_assets.assets.examples import GROUP, OWNERS
from rag_assets.assets.ingestion import RETRY
from rag_assets.assets.stage_runs import record_run
from rag_assets.assets.training_file import training_file
from rag_assets.resources.project import ProjectResource

INTENT_TAG = "rag_assets/tuning_intent"
"""On runs that collect one attempt: the attempt's intent id."""


@dg.asset(
    deps=[training_file],
    group_name=GROUP,
    kinds={"sql"},
    owners=OWNERS,
    code_version="1",
    retry_policy=RETRY,
)
def fine_tuning_job(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
    """A job at the provider that tunes the base model on the newest training file; submitted, and not waited for.

    Refuses, with nothing paid, unless the file passed every gate and the budget has room. What is wanted is on record
    before the provider is asked: the same file with the same settings is never paid for twice, whatever happens in
    between, and one that was tuned before is reused. The sensor `poll_fine_tuning` follows the job to its end.
    """
    from rag_assets.tuning.jobs import submit
    from rag_assets.tuning.training_file import newest_training_file

    with project.open() as opened:
        file = newest_training_file(opened.ledger, opened.settings.data_path)
        begun = submit(opened, file, run_id=context.run.run_id, say=context.log.info)
        record_run(context, opened, begun.job.intent_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(begun.job.intent_id),
            metadata=tuning_metadata.of_fine_tuning_job(begun, file),
        )


@dg.asset(
    deps=[fine_tuning_job],
    group_name=GROUP,
    kinds={"sql"},
    owners=OWNERS,
    code_version="1",
    retry_policy=RETRY,
)
def fine_tuned_model(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
    """The model that the newest tuning job made, with what it cost and how it learned.

    Fails with the provider's own reason where the job ended without a model, and says so where it goes on; there is
    never a model without its id. `poll_fine_tuning` materializes it when the job ends.
    """
    from rag_assets.tuning.collecting import collect, job_to_collect

    with project.open() as opened:
        job = job_to_collect(opened, context.run.tags.get(INTENT_TAG))
        collected = collect(opened, job)
        record_run(context, opened, collected.model.model_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(collected.model.model_id),
            metadata=tuning_metadata.of_fine_tuned_model(collected),
        )
