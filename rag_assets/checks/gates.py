"""Checks that display the verdict of a gate for exactly what is stored now."""

from typing import Any

import dagster as dg

from rag_assets.assets import chunks, embeddings, index_snapshot, vector_index
from rag_assets.assets.previews import source_check
from rag_assets.errors import NoReleaseError
from rag_assets.ingestion import chunks_version, embeddings_version
from rag_assets.ledger import Verdict
from rag_assets.releasing import (
    COMPLETENESS,
    EMBEDDING_INTEGRITY,
    INDEXED,
    TOKEN_BUDGET,
    candidate,
    is_in_step,
    subject_of_chunks,
    subject_of_embeddings,
    subject_of_index,
)
from rag_assets.resources.project import ProjectResource


def shown(verdict: Verdict | None, subject: str) -> dg.AssetCheckResult:
    """`verdict` as the result of a check; None, that there is none for exactly `subject`, is no pass."""
    if verdict is None:
        return dg.AssetCheckResult(
            passed=False, description=f"No verdict for {subject}: materialize the asset again; it judges its output."
        )
    details = {key: value for key, value in verdict.details.items() if value is not None and key != "reason"}
    return dg.AssetCheckResult(
        passed=verdict.passed,
        description=str(verdict.details.get("reason", "")),
        metadata={"subject": subject, **{key: _plain(value) for key, value in details.items()}},
    )


def _plain(value: Any) -> Any:
    return dg.MetadataValue.json(value) if isinstance(value, (list, dict)) else value


@source_check(chunks, blocking=True)
def token_budget(context: dg.AssetCheckExecutionContext, project: ProjectResource) -> dg.AssetCheckResult:
    """No chunk is longer than the model reads, and the source's total is within its token budget."""
    name = context.partition_key
    with project.open() as opened:
        version = chunks_version(name, opened.store.chunks(name), opened.generation)
        subject = subject_of_chunks(name, version, **opened.token_limits(name))
        return shown(opened.ledger.verdict(TOKEN_BUDGET, subject), subject)


@source_check(embeddings, blocking=True)
def embedding_integrity(context: dg.AssetCheckExecutionContext, project: ProjectResource) -> dg.AssetCheckResult:
    """No vector is null, zero, not finite or of the wrong length."""
    name = context.partition_key
    with project.open() as opened:
        space = opened.generation.space
        version = embeddings_version(
            opened.store.chunks(name), opened.store.embeddings(space.name, space.dimension), space
        )
        subject = subject_of_embeddings(name, version)
        return shown(opened.ledger.verdict(EMBEDDING_INTEGRITY, subject), subject)


@source_check(vector_index, blocking=True)
def completeness(context: dg.AssetCheckExecutionContext, project: ProjectResource) -> dg.AssetCheckResult:
    """Every chunk of every sound document of this source is in the index once, and none of a vanished document."""
    name = context.partition_key
    with project.open() as opened:
        version = chunks_version(name, opened.store.chunks(name), opened.generation)
        subject = subject_of_index(opened.index.name, name)
        current = is_in_step(opened.ledger, opened.index.name, name, version)
        return shown(opened.ledger.verdict(INDEXED, subject) if current else None, subject)


def _snapshot_check(gate: str, description: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=index_snapshot, name=gate, blocking=True, description=description)
    def check(project: ProjectResource) -> dg.AssetCheckResult:
        with project.open() as opened:
            try:
                subject = candidate(opened.ledger).snapshot_id
            except NoReleaseError as error:
                return dg.AssetCheckResult(passed=False, description=str(error))
            return shown(opened.ledger.verdict(gate, subject), subject)

    return check


GATE_CHECKS = [
    token_budget,
    embedding_integrity,
    completeness,
    _snapshot_check(
        COMPLETENESS,
        "Every chunk of every sound document is in exactly this snapshot once, and none of a vanished document.",
    ),
    _snapshot_check(EMBEDDING_INTEGRITY, "No vector of exactly this snapshot is null, zero, not finite or misshapen."),
]
