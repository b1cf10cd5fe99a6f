"""The pinned snapshot: the candidate for a release."""

import dagster as dg

from rag_assets.assets import metadata
from rag_assets.assets.ingestion import vector_index
from rag_assets.assets.partitions import sync_partitions
from rag_assets.assets.release_state import STATE_TAG, release_state
from rag_assets.assets.stage_runs import links_of_snapshot, record_run
from rag_assets.estimating.generation import generation_change
from rag_assets.ingestion.vanished import require_none_held
from rag_assets.project import Project
from rag_assets.releasing import ReleaseContent, SnapshotResult, candidate, take_snapshot
from rag_assets.resources.project import ProjectResource

GROUP = "release"
OWNERS = ["team:knowledge"]


@dg.asset(
    deps=[vector_index],
    group_name=GROUP,
    kinds={"lancedb"},
    owners=OWNERS,
    code_version="1",
)
def index_snapshot(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
    """One exact version of the index over all sources, pinned and judged: the candidate for a release.

    Rows of documents and sources that are gone are removed first. The same rows and settings give the same snapshot.
    The gates judge exactly this snapshot and leave their verdicts in the ledger.
    """
    with project.open_release(context) as opened:
        sync_partitions(context.instance, opened)
        require_none_held(opened.store, opened.ledger, opened.source_names)
        context.instance.add_run_tags(context.run.run_id, {STATE_TAG: release_state(opened).name})
        change = generation_change(opened)
        result = snapshot_of(opened)
        record_run(context, opened, result.snapshot_id, result.version)
        if result.behind:
            context.log.warning(f"Behind their newest documents, previous rows kept: {', '.join(result.behind)}")
        return dg.MaterializeResult(
            data_version=dg.DataVersion(result.snapshot_id),
            metadata=metadata.of_index_snapshot(result)
            | metadata.of_generation(change)
            | links_of_snapshot(opened, opened.snapshot(result.snapshot_id)),
        )


def snapshot_of(project: Project) -> SnapshotResult:
    """Takes the snapshot that the configuration asks for now."""
    return take_snapshot(
        project.store,
        project.ledger,
        generation=project.generation,
        sources=project.source_names,
        retrieval=project.settings.retrieval,
    )


def candidate_content(project: Project) -> ReleaseContent:
    """What a release would be made of now: the newest judged snapshot with the prompts, models and settings of now."""
    return project.content(candidate(project.ledger))
