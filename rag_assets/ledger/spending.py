"""Money: what is set aside before it is spent, and what was spent."""

from __future__ import annotations

from rag_assets.ledger.engine import Database
from rag_assets.ledger.tuning_tables import reservations as table

__all__ = ["Spending", "table"]


class Spending(Database):
    """Reservations against the budgets of a month."""
