"""The evaluation assets: the golden questions, and the report that decides whether a snapshot may be released."""

import dagster as dg

from rag_assets.assets import metadata
from rag_assets.assets.ingestion import RETRY
from rag_assets.assets.progress import log_progress
from rag_assets.assets.snapshot import candidate_content, index_snapshot
from rag_assets.resources.project import ProjectResource

GROUP = "evaluation"
OWNERS = ["team:knowledge"]


@dg.asset(
    group_name=GROUP,
    kinds={"lancedb"},
    owners=OWNERS,
    code_version="1",
)
def golden_questions(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
    """Labelled questions, read from the files that `evaluation.questions` names and split by the hash of their words.

    The splits train and validation are for tuning, gate is for judging; a question never changes its split. A file with
    a mistake is refused as a whole, with every mistake and its line, and the questions of before stay.
    """
    from rag_assets.evaluation.configured import configured_questions
    from rag_assets.evaluation.question_table import sync_questions

    with project.open_release(context) as opened:
        table = opened.store.golden_questions()
        questions = configured_questions(opened)
        result = sync_questions(table, questions)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(result.version),
            metadata=metadata.of_golden_questions(result, table, questions),
        )


@dg.asset(
    deps=[index_snapshot, golden_questions],
    group_name=GROUP,
    kinds={"html"},
    owners=OWNERS,
    code_version="1",
    retry_policy=RETRY,
)
def eval_report(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
    """What the newest snapshot answers to the golden questions, compared with what serves, and whether it may follow.

    Only questions of the split gate count. Nothing is paid for twice: at temperature 0 a question whose passages
    did not change costs nothing. The verdict is left in the ledger for exactly this snapshot with these prompts, models
    and settings; the report is kept as a file.
    """
    from rag_assets.evaluation.question_table import stored_questions
    from rag_assets.evaluation.review import gate_questions, review
    from rag_assets.models.usage import UsageMeter

    with project.open_release(context) as opened:
        limits = opened.settings.spend
        sink = opened.ledger.usage_sink(run_id=context.run.run_id, asset="eval_report", limits=limits)
        meter = UsageMeter([sink])
        questions = gate_questions(stored_questions(opened.store.golden_questions()))
        result = review(
            opened,
            candidate_content(opened),
            questions,
            record_verdict=True,
            usage=meter,
            progress=log_progress(context),
        )
        log = context.log.info if result.verdict.passed else context.log.warning
        log(result.verdict.reason)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(result.evaluation.evaluation_id), metadata=metadata.of_eval_report(result)
        )
