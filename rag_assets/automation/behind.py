"""Which sources have newer documents than their rows in the index, as the ledger tells it without reading a table."""

from __future__ import annotations

from datetime import datetime

from rag_assets.project import Project
from rag_assets.releasing.coverage import INDEXED, subject_of_index

STAGES_BEFORE_INDEX = ("raw_documents", "chunks", "embeddings")


def behind_since(project: Project, source: str) -> datetime | None:
    """Since when a stage of `source` is newer than its index step; None when none is.

    A stage notes only that its state changed, and each index step leaves a verdict, so a complete run puts an end to
    it. A source that no run has touched yet is not behind.
    """
    newest = [project.ledger.stage_runs(stage, source, limit=1) for stage in STAGES_BEFORE_INDEX]
    changed_at = [runs[0].created_at for runs in newest if runs]
    verdict = project.ledger.verdict(INDEXED, subject_of_index(f"vector_index__{project.generation.id}", source))
    later = [time for time in changed_at if verdict is None or time > verdict.created_at]
    return min(later) if later else None
