"""One budget with its figures, and the sentence in which it refuses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rag_assets.errors import BudgetError

if TYPE_CHECKING:
    from rag_assets.config import SpendSettings

ROUNDING = 1e-9
"""Share of a limit that sums of many small amounts may be off by: an amount that fits exactly is not refused."""
_REFUSAL = re.compile(
    r"the month's budget(?: of (\S+))? has left "
    r"\(\S+ spent and \S+ set aside of (\S+), \S+ left in (\d{4}-\d\d)\)"
)
"""How a budget's refusal reads, in a `BudgetError` and in the verdict of a gate: whose, its limit and its month."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in `month` (`YYYY-MM`, UTC) by `asset`, or by all together where that is None."""

    asset: str | None
    month: str
    limit_usd: float
    spent_usd: float
    set_aside_usd: float

    @property
    def left_usd(self) -> float:
        """What nobody has spent or set aside yet; below 0 where a limit was lowered afterwards."""
        return self.limit_usd - self.spent_usd - self.set_aside_usd

    @property
    def rounding_usd(self) -> float:
        return self.limit_usd * ROUNDING

    @property
    def key(self) -> str:
        """The setting that says the limit."""
        return "spend.month_usd" if self.asset is None else f"spend.assets.{self.asset}"

    @property
    def whose(self) -> str:
        return "the month's budget" if self.asset is None else f"the month's budget of {self.asset}"

    def figures(self) -> str:
        """Spent, set aside, limit, what is left, and the month, as one phrase."""
        return (
            f"{dollars(self.spent_usd)} spent and {dollars(self.set_aside_usd)} set aside of "
            f"{dollars(self.limit_usd)}, {dollars(max(self.left_usd, 0.0))} left in {self.month}"
        )


def refusal(budget: Budget, asset: str, model: str, wanted_usd: float, now: datetime) -> BudgetError:
    """Why `wanted_usd` for a call or a job of `model` is not spent."""
    following = (now.replace(day=1, month=now.month % 12 + 1, year=now.year + now.month // 12)).date()
    return BudgetError(
        f"What {asset or 'a call'} asks of {model} may cost {dollars(wanted_usd)}, which is more than {budget.whose} "
        f"has left ({budget.figures()}). Nothing was spent on it.",
        fix=f"Raise {budget.key}, or wait for {following} (UTC). What it went to: rag-assets costs",
    )


def may_fit_now(error: str, limits: SpendSettings, now: datetime) -> bool:
    """Whether what budgets refused with this text may be tried again: in another month, or under another limit.

    False for every other text, also for that of an unknown price.
    """
    refused = _REFUSAL.findall(error)
    return bool(refused) and all(_is_another(limits, now, *said) for said in refused)


def _is_another(limits: SpendSettings, now: datetime, asset: str, limit_then: str, month_then: str) -> bool:
    limit = limits.assets.get(asset) if asset else limits.month_usd
    return f"{now.astimezone(UTC):%Y-%m}" != month_then or limit is None or dollars(limit) != limit_then


def unknown_price(model: str, asset: str) -> BudgetError:
    """Why a model without a price is not asked while a budget applies to `asset`."""
    return BudgetError(
        f"A budget applies to {asset or 'every call'}, and the price of {model} is not known. Nothing was spent on it.",
        fix=f"Set models.prices.{model} (input_usd, output_usd; 0 for none), or remove the budget from spend.",
    )


def dollars(amount_usd: float) -> str:
    """An amount as people read it: four digits where it is small, so that a call is not $0.00."""
    if 0 < amount_usd < 0.0001:
        return "<$0.0001"
    return f"${amount_usd:.4f}" if 0 < amount_usd < 0.1 else f"${amount_usd:,.2f}"
