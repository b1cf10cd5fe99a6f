"""Which budgets of this month what is estimated would meet."""

from __future__ import annotations

from collections.abc import Mapping

from rag_assets.ledger import dollars
from rag_assets.project import Project


def budget_limits(project: Project, costs: Mapping[str, float | None]) -> tuple[str, ...]:
    """What would be refused of `costs` (asset → US dollars, None where a price is unknown), a sentence each."""
    said = []
    for budget in project.ledger.budgets(project.settings.spend):
        met = [cost for asset, cost in costs.items() if budget.asset in (None, asset)]
        known = sum(cost for cost in met if cost is not None)
        if None in met:
            said.append(f"{budget.whose}: a price is not known, and without one nothing is paid ({budget.key})")
        elif known > budget.left_usd + budget.rounding_usd:
            said.append(f"{dollars(known)} is more than {budget.whose} has left ({budget.figures()})")
    return tuple(said)
