"""The registry: tuned models, comparisons, and what was decided."""

from __future__ import annotations

from rag_assets.ledger.engine import Database
from rag_assets.ledger.tuning_tables import comparisons, model_decisions, tuned_models

__all__ = ["TunedModels", "comparisons", "model_decisions", "tuned_models"]


class TunedModels(Database):
    """Models that came out of tuning jobs."""
