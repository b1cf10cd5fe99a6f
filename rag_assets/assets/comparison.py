"""The comparison of a tuned model with what answers now, which decides whether it takes its place."""

import dagster as dg

from rag_assets.assets.comparison_metadata import of_decided, of_nothing_to_compare
from rag_assets.assets.evaluation import golden_questions
from rag_assets.assets.examples import GROUP, OWNERS
from rag_assets.assets.fine_tuning import INTENT_TAG, fine_tuned_model
from rag_assets.assets.ingestion import RETRY
from rag_assets.assets.progress import log_progress
from rag_assets.assets.snapshot import index_snapshot
from rag_assets.assets.stage_runs import record_run
from rag_assets.project import Project
from rag_assets.resources.project import ProjectResource


class ComparisonConfig(dg.Config):
    """What is compared. `model`: the id of a registered model.

    By default the model that this run took in, else the one that waits longest for a decision.
    """

    model: str = ""


@dg.asset(
    deps=[fine_tuned_model, index_snapshot, golden_questions],
    group_name=GROUP,
    kinds={"html"},
    owners=OWNERS,
    code_version="1",
    retry_policy=RETRY,
)
def model_comparison(
    context: dg.AssetExecutionContext, config: ComparisonConfig, project: ProjectResource
) -> dg.MaterializeResult[None]:
    """The champion and a tuned model answer the same frozen questions on the same snapshot, and the better one serves.

    Without a champion the base model is the incumbent; ties and too few questions keep what serves. A winner is
    released in this body by the ordinary gates: where one refuses, the champion stays. A comparison that was made is
    not made again, and one that was interrupted goes on where it was.
    """
    from rag_assets.models.usage import UsageMeter
    from rag_assets.tuning.registry import decide_model, next_challenger, registered

    with project.open_release(context) as opened:
        name = config.model or _taken_in(opened, context.run.tags.get(INTENT_TAG))
        model = registered(opened, name) if name else next_challenger(opened)
        if model is None:
            context.log.info("Every tuned model serves or is retired: there is nothing to compare.")
            return of_nothing_to_compare(opened)
        limits = opened.settings.spend
        sink = opened.ledger.usage_sink(run_id=context.run.run_id, asset="model_comparison", limits=limits)
        meter = UsageMeter([sink])
        decided = decide_model(
            opened, model, by=f"run {context.run.run_id}", usage=meter, progress=log_progress(context)
        )
        decision = decided.decision
        log = context.log.info if decision.decision in ("promoted", "rejected") else context.log.warning
        log(f"{model.model_id} is {decision.decision.replace('_', ' ')}: {decision.reason}")
        version = decided.comparison.comparison_id if decided.comparison else decision.model_id
        record_run(context, opened, version)
        return dg.MaterializeResult(data_version=dg.DataVersion(version), metadata=of_decided(opened, decided))


def _taken_in(project: Project, intent_id: str | None) -> str | None:
    """The model of the tuning job that this run was launched for, unless it was retired since."""
    job = project.ledger.tuning_job(intent_id) if intent_id else None
    name = job.model_id if job is not None else None
    return name if name and project.ledger.model_statuses().get(name) != "retired" else None
