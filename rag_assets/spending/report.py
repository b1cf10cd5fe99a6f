"""The costs of a period: one line for each source, model, asset or day, their sum, and the budgets of now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from rag_assets.ledger import Budget, Dimension, Ledger
from rag_assets.models.usage import UsageTotal
from rag_assets.spending.periods import Period

if TYPE_CHECKING:
    from rag_assets.config import SpendSettings


@dataclass(frozen=True, slots=True)
class CostLine:
    """The calls of one `key`, which is "" where they name none.

    `share` is of the cost of all: None where that is 0, or where no price is known.
    """

    key: str
    total: UsageTotal
    share: float | None


@dataclass(frozen=True, slots=True)
class CostReport:
    """`lines` by cost, the dearest first, or days in their order. `set_aside_usd` and `budgets` are of now."""

    by: Dimension
    period: Period
    lines: tuple[CostLine, ...]
    total: UsageTotal
    set_aside_usd: float
    budgets: tuple[Budget, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {
            "by": self.by,
            "since": self.period.since.isoformat(),
            "until": self.period.until.isoformat(),
            "rows": [
                {self.by: line.key or None, **_plain(line.total), "share": line.share and round(line.share, 6)}
                for line in self.lines
            ],
            "total": _plain(self.total),
            "set_aside_usd": self.set_aside_usd,
            "budgets": [
                {
                    "budget": budget.asset or "month",
                    "setting": budget.key,
                    "month": budget.month,
                    "limit_usd": budget.limit_usd,
                    "spent_usd": budget.spent_usd,
                    "set_aside_usd": budget.set_aside_usd,
                    "left_usd": max(budget.left_usd, 0.0),
                }
                for budget in self.budgets
            ],
        }


@dataclass(frozen=True, slots=True)
class Day:
    """What was spent on one day (UTC), by asset; "" stands for calls that name none."""

    day: date
    cost_usd: Mapping[str, float]
    calls: int

    @property
    def total_usd(self) -> float:
        return sum(self.cost_usd.values())


def cost_report(ledger: Ledger, limits: SpendSettings, period: Period, *, by: Dimension = "asset") -> CostReport:
    """The costs of `period`. Calls without a known price count as calls and add no cost."""
    found = ledger.costs([by], since=period.since, until=period.until)
    total = _sum(found.values())
    lines = [CostLine(key, one, _share(one, total)) for (key,), one in found.items()]
    if by != "day":
        lines.sort(key=lambda line: (-line.total.cost_usd, -line.total.calls, line.key))
    return CostReport(
        by=by,
        period=period,
        lines=tuple(lines),
        total=total,
        set_aside_usd=sum((one.amount_usd for one in ledger.open_reservations()), 0.0),
        budgets=tuple(ledger.budgets(limits)),
    )


def days(ledger: Ledger, period: Period) -> list[Day]:
    """Every day of `period`, also those on which nothing was spent."""
    found = ledger.costs(["day", "asset"], since=period.since, until=period.until)
    costs: dict[str, dict[str, float]] = {}
    calls: dict[str, int] = {}
    for (day, asset), total in found.items():
        calls[day] = calls.get(day, 0) + total.calls
        if total.cost_usd:
            costs.setdefault(day, {})[asset] = total.cost_usd
    return [Day(day, costs.get(str(day), {}), calls.get(str(day), 0)) for day in period.days]


def _plain(total: UsageTotal) -> dict[str, Any]:
    """Sums of floats end in digits that nobody paid; ten behind the point say more than a token costs."""
    return asdict(total) | {"cost_usd": round(total.cost_usd, 10)}


def _share(part: UsageTotal, total: UsageTotal) -> float | None:
    return part.cost_usd / total.cost_usd if total.cost_usd and part.unpriced_calls < part.calls else None


def _sum(totals: Iterable[UsageTotal]) -> UsageTotal:
    rows = [asdict(total) for total in totals]
    return UsageTotal(**{name: sum(row[name] for row in rows) for name in UsageTotal.__slots__})
