"""Tuning jobs: what is wanted is on record before a provider is asked for it, and every attempt stays."""

from __future__ import annotations

from rag_assets.ledger.engine import Database
from rag_assets.ledger.tuning_tables import tuning_jobs as table

__all__ = ["TuningJobs", "table"]


class TuningJobs(Database):
    """Attempts to tune a model."""
