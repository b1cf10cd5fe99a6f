"""What `rag-assets doctor` says of money: what this month cost, what budgets leave, which prices are missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag_assets.cli.doctor import Finding
    from rag_assets.config import Settings

ROLES = {"embedding": "embeddings", "chat": "answers"}
"""Each model's role, and the asset that uses it most."""


def look_at_spending(settings: Settings) -> Iterator[Finding]:
    """The spending of this month beside each budget; a budget that is used up is what stops the next paid call."""
    from rag_assets.cli.doctor import Finding
    from rag_assets.ledger import Ledger, dollars
    from rag_assets.spending import PAID_ASSETS

    with Ledger(settings.ledger_url) as ledger:
        spent, budgets = ledger.spent_this_month(), ledger.budgets(settings.spend)
        known = {*PAID_ASSETS, *(asset for (asset,) in ledger.costs(["asset"]))}
    if settings.spend.month_usd is None:
        yield Finding("spending", True, f"{dollars(spent)} this month (UTC); spend.month_usd sets no budget")
    for budget in budgets:
        name = f"spending of {budget.asset}" if budget.asset else "spending"
        fix = f"Raise {budget.key}, or wait for the next month. What it went to: rag-assets costs"
        if budget.asset is not None and budget.asset not in known:
            fix = f"Nothing of this name ever paid. Is it one of {', '.join(PAID_ASSETS)}?"
            yield Finding(name, False, f"{budget.key} limits nothing", fix)
            continue
        yield Finding(name, budget.left_usd > 0, budget.figures(), fix)
    yield from _prices(settings)


def _prices(settings: Settings) -> Iterator[Finding]:
    """Models that a budget would refuse, for nobody knows what they cost."""
    from rag_assets.cli.doctor import Finding
    from rag_assets.models.catalog import price_of

    models = settings.models
    providers = models.all_providers()
    for role, asset in ROLES.items():
        used = getattr(models, role)
        if not settings.spend.limits(asset):
            continue
        if price_of(used.model, models.prices, kind=providers[used.provider].kind) is None:
            said = f"not known, so that the budget refuses every call (models.{role})"
            fix = f"Set models.prices.{used.model} (input_usd, output_usd)."
            yield Finding(f"price of {used.model}", False, said, fix)
