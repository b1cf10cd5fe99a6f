"""The gate of the budget: what the job would cost, against the most that it may and what is left of the month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rag_assets.config import Settings
from rag_assets.ledger.columns import utc_now
from rag_assets.releasing import GateVerdict
from rag_assets.tuning.gates.verdicts import BUDGET
from rag_assets.tuning.training_cost import TrainingCost

if TYPE_CHECKING:
    from rag_assets.ledger import Ledger

RULES = "budget@1"
ASSET = "fine_tuning_job"
"""Whose spending a job is, as `spend.assets` names it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A budget, and what was spent of it, in US dollars."""

    name: str
    limit_usd: float
    spent_usd: float

    @property
    def left_usd(self) -> float:
        return max(0.0, self.limit_usd - self.spent_usd)


def limits_of(settings: Settings, ledger: Ledger) -> list[Limit]:
    """The budgets that a job now has to keep: its own, its asset's and the platform's of this month."""
    start = month_start(utc_now())
    limits = [Limit("tuning.budget_usd", settings.tuning.budget_usd, 0.0)]
    if ASSET in settings.spend.assets:
        spent = ledger.usage_totals(since=start, asset=ASSET).cost_usd
        limits.append(Limit(f"spend.assets.{ASSET}", settings.spend.assets[ASSET], spent))
    if settings.spend.month_usd is not None:
        limits.append(Limit("spend.month_usd", settings.spend.month_usd, ledger.usage_totals(since=start).cost_usd))
    return limits


def month_start(now: datetime) -> datetime:
    """Midnight of the first day of the month of `now`, in its zone."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def judge_budget(cost: TrainingCost, limits: list[Limit], *, unreadable: int, subject: str) -> GateVerdict:
    """The estimate against every limit. A price that is not known fails, for nothing says what would be paid."""
    reasons = []
    if unreadable:
        reasons.append(f"{unreadable:,} lines hold no example whose cost could be told")
    if cost.cost_usd is None:
        reasons.append(_unknown_price(cost))
    else:
        reasons += [
            f"${cost.cost_usd:,.2f} is more than the ${limit.left_usd:,.2f} that {limit.name} leaves "
            f"(${limit.spent_usd:,.2f} of ${limit.limit_usd:,.2f} is spent)"
            for limit in limits
            if cost.cost_usd > limit.left_usd
        ]
    return GateVerdict(
        gate=BUDGET,
        subject=subject,
        passed=not reasons,
        reason="; ".join(reasons) or f"{_in_words(cost)}, within every budget",
        details={
            "base_model": cost.base.model,
            "provider": cost.base.provider,
            "train_tokens": cost.train_tokens,
            "validation_tokens": cost.validation_tokens,
            "epochs": cost.epochs,
            "billed_tokens": cost.billed_tokens,
            "price_per_million_usd": cost.price_usd,
            "estimated_cost_usd": cost.cost_usd,
            "limits": {one.name: {"limit_usd": one.limit_usd, "spent_usd": one.spent_usd} for one in limits},
        },
    )


def _unknown_price(cost: TrainingCost) -> str:
    name = cost.base.model
    if cost.price_usd is not None:
        return f"how many epochs {cost.base.provider!r} trains is not known; set tuning.epochs"
    return (
        f"what training {name!r} costs is not known, or it cannot be tuned; set models.prices: "
        f"{{{name}: {{input_usd: …, output_usd: …, training_usd: …}}}}"
    )


def _in_words(cost: TrainingCost) -> str:
    tokens = f"{cost.train_tokens:,} training and {cost.validation_tokens:,} validation tokens"
    if not cost.price_usd:
        return f"{tokens} cost nothing at {cost.base.provider!r}"
    times = f"× {cost.epochs} epochs × ${cost.price_usd:,.2f} a million tokens"
    return f"({tokens}) {times} is ${cost.cost_usd:,.2f}"
