"""The release assets: the pinned snapshot, and what answers are given from."""

import dagster as dg

from rag_assets.assets import metadata
from rag_assets.assets.ingestion import vector_index
from rag_assets.assets.partitions import sync_partitions
from rag_assets.project import Project
from rag_assets.releasing import SnapshotResult, candidate, make_release, take_snapshot
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
    with project.open() as opened:
        sync_partitions(context.instance, opened)
        result = snapshot_of(opened)
        if result.behind:
            context.log.warning(f"Behind their newest documents, previous rows kept: {', '.join(result.behind)}")
        return dg.MaterializeResult(
            data_version=dg.DataVersion(result.snapshot_id), metadata=metadata.of_index_snapshot(result)
        )


@dg.asset(
    deps=[index_snapshot],
    group_name=GROUP,
    kinds={"lancedb", "openai"},
    owners=OWNERS,
    code_version="1",
)
def release(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
    """What answers are given from: the newest snapshot with the prompts, the chat model and the settings of now.

    Reads the verdicts for exactly that snapshot and refuses without them, however it is started; what serves stays.
    The same content is the same release, so materializing it again changes nothing.
    """
    with project.open() as opened:
        result = make_release(
            opened.store,
            opened.ledger,
            candidate(opened.ledger),
            generation=opened.generation,
            sources=opened.source_names,
            prompts=opened.prompts,
            models=opened.settings.models,
            answering=opened.settings.answering,
            served_by=f"run {context.run.run_id}",
        )
        if result.retracted:
            context.log.warning(f"{result.release.release_id} was rolled back by a person and does not serve again.")
        return dg.MaterializeResult(
            data_version=dg.DataVersion(result.release.release_id), metadata=metadata.of_release(result)
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
