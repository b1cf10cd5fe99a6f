"""The release: what answers are given from."""

import dagster as dg

from rag_assets.assets import metadata
from rag_assets.assets.comparison_metadata import of_models
from rag_assets.assets.evaluation import eval_report
from rag_assets.assets.snapshot import GROUP, OWNERS, candidate_content, index_snapshot
from rag_assets.assets.stage_runs import links_of_release, record_run
from rag_assets.releasing import make_release
from rag_assets.resources.project import ProjectResource


@dg.asset(
    deps=[index_snapshot, eval_report],
    group_name=GROUP,
    kinds={"lancedb"},
    owners=OWNERS,
    code_version="2",
)
def release(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
    """What answers are given from: the newest snapshot with the prompts, the chat model and the settings of now.

    Reads the verdicts for exactly that snapshot and its evaluation, and refuses without them, however it is started;
    what serves stays. The same content is the same release, so materializing it again changes nothing.
    """
    from rag_assets.evaluation.question_table import stored_questions
    from rag_assets.evaluation.review import quality_subject

    with project.open_release(context) as opened:
        content = candidate_content(opened)
        questions = stored_questions(opened.store.golden_questions())
        result = make_release(
            opened.store,
            opened.ledger,
            content,
            quality=quality_subject(content, questions, opened.settings.evaluation),
            generation=opened.generation,
            sources=opened.source_names,
            served_by=f"run {context.run.run_id}",
        )
        record_run(context, opened, result.release.release_id)
        if result.retracted:
            context.log.warning(f"{result.release.release_id} was rolled back by a person and does not serve again.")
        return dg.MaterializeResult(
            data_version=dg.DataVersion(result.release.release_id),
            metadata=metadata.of_release(result)
            | of_models(opened, result.release)
            | links_of_release(opened, result.release.snapshot_id),
        )
