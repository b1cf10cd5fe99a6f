"""The examples that models are tuned on: one partition per example set."""

import dagster as dg

from rag_assets import schemas
from rag_assets.assets import metadata
from rag_assets.assets.ingestion import RETRY
from rag_assets.assets.partitions import EXAMPLE_SETS
from rag_assets.assets.stage_runs import record_run
from rag_assets.resources.project import ProjectResource

GROUP = "fine_tuning"
OWNERS = ["team:knowledge"]


@dg.asset(
    partitions_def=EXAMPLE_SETS,
    group_name=GROUP,
    kinds={"lancedb"},
    owners=OWNERS,
    code_version="1",
    retry_policy=RETRY,
    metadata={"dagster/column_schema": metadata.column_schema(schemas.TRAINING_EXAMPLES)},
)
def training_examples(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
    """The examples of one set, whatever they come from, in one form and each with its origin.

    Only what differs is written. A file with a mistake refuses the whole set, with every mistake and its line, and what
    the set had stays.
    """
    from rag_assets.tuning.examples import read_examples, sync_examples

    name = context.partition_key
    with project.open_example_set(context) as opened:
        table = opened.store.training_examples(name)
        examples = read_examples(opened, name)
        result = sync_examples(table, examples)
        record_run(context, opened, result.data_version, result.table_version)
        context.log.info(result.why)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(result.data_version),
            metadata=metadata.of_training_examples(result, table, examples),
        )
