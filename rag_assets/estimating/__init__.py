"""What a run, or a change of settings, would do and cost, before it does it. Nothing is written and no model called.

An estimate makes the comparisons that a run makes (`ingestion.difference`), cuts what is due in memory, and counts.
"""

from rag_assets.estimating.estimate import estimate, untouched
from rag_assets.estimating.model import (
    ChunkCounts,
    DocumentCounts,
    Estimate,
    EvaluationEstimate,
    GenerationChange,
    SourceEstimate,
)

__all__ = [
    "ChunkCounts",
    "DocumentCounts",
    "Estimate",
    "EvaluationEstimate",
    "GenerationChange",
    "SourceEstimate",
    "estimate",
    "untouched",
]
