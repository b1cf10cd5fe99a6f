"""The file that a model is tuned on, judged before anything is paid."""

import dagster as dg

from rag_assets.assets import metadata
from rag_assets.assets.examples import GROUP, OWNERS, training_examples
from rag_assets.assets.ingestion import RETRY
from rag_assets.assets.progress import log_progress
from rag_assets.assets.snapshot import index_snapshot
from rag_assets.assets.stage_runs import record_run
from rag_assets.resources.project import ProjectResource


@dg.asset(
    deps=[training_examples, index_snapshot],
    group_name=GROUP,
    kinds={"json"},
    owners=OWNERS,
    code_version="1",
    retry_policy=RETRY,
)
def training_file(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
    """The examples of all sets in OpenAI's chat format, each with the passages that the newest snapshot has for it.

    Train and validation are split by the words of the question. The same inputs give the same file, which is never
    written again; every line can be traced to its origin. An example without a passage to stand on is left out and
    counted. The gates judge exactly this file and leave their verdicts in the ledger, where what pays looks for them.
    """
    from rag_assets.models.usage import UsageMeter
    from rag_assets.tuning.gates import judge_training_file
    from rag_assets.tuning.making import make_training_file

    with project.open() as opened:
        limits = opened.settings.spend
        meter = UsageMeter([opened.ledger.usage_sink(run_id=context.run.run_id, asset="training_file", limits=limits)])
        result = make_training_file(opened, usage=meter, progress=log_progress(context))
        verdicts = judge_training_file(opened, result.file)
        record_run(context, opened, result.file.file_id)
        for verdict in verdicts:
            if not verdict.passed:
                context.log.warning(f"{verdict.gate}: {verdict.reason}")
        return dg.MaterializeResult(
            data_version=dg.DataVersion(result.file.file_id), metadata=metadata.of_training_file(result, verdicts)
        )
