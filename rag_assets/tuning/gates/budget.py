"""The gate of the budget: what the job would cost, against the most that it may and what is left of the month.

It stops what cannot fit before anything is written down or sent. That two jobs at once do not fit together, each of
which would alone, is seen when the money is set aside (`Ledger.reserve`), which is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rag_assets.config import Settings
from rag_assets.ledger.budgets import Budget, dollars
from rag_assets.releasing import GateVerdict
from rag_assets.tuning.gates.coverage import Coverage
from rag_assets.tuning.gates.verdicts import BUDGET
from rag_assets.tuning.training_cost import TrainingCost

if TYPE_CHECKING:
    from rag_assets.ledger import Ledger

RULES = "budget@2"
ASSET = "fine_tuning_job"
"""Whose spending a job is, as `spend.assets` names it."""


def budgets_of(settings: Settings, ledger: Ledger) -> list[Budget]:
    """The budgets of this month that a job now has to keep: the platform's, and its asset's."""
    return [budget for budget in ledger.budgets(settings.spend) if budget.asset in (None, ASSET)]


def judge_budget(
    cost: TrainingCost, *, job_usd: float, months: Sequence[Budget], unreadable: int, coverage: Coverage, subject: str
) -> GateVerdict:
    """The estimate against `job_usd`, the most that a job may cost, and against what is left of each of `months`.

    What is set aside for this very job is left for it, and one that was asked for already passes: nothing more is paid.
    A price that is not known fails, for nothing says what would be paid.
    """
    if coverage.job:
        reason = f"the job {coverage.job} was asked for already; nothing more is paid"
        return GateVerdict(BUDGET, subject, True, reason, _figures(cost, job_usd, months))
    months = [replace(month, set_aside_usd=month.set_aside_usd - coverage.set_aside_usd) for month in months]
    reasons = []
    if unreadable:
        reasons.append(f"{unreadable:,} lines or files hold no example whose cost could be told")
    wanted = cost.cost_usd
    if wanted is None:
        reasons.append(_unknown_price(cost))
    else:
        if wanted > job_usd:
            reasons.append(f"{_in_words(cost)}, which is more than tuning.budget_usd, {dollars(job_usd)}")
        reasons += [
            f"{dollars(wanted)} is more than {month.whose} has left ({month.figures()})"
            for month in months
            if wanted > month.left_usd + month.rounding_usd
        ]
    return GateVerdict(
        gate=BUDGET,
        subject=subject,
        passed=not reasons,
        reason="; ".join(reasons) or f"{_in_words(cost)}, within every budget",
        details=_figures(cost, job_usd, months),
    )


def _figures(cost: TrainingCost, job_usd: float, months: Sequence[Budget]) -> dict[str, Any]:
    return {
        "base_model": cost.base.model,
        "provider": cost.base.provider,
        "train_tokens": cost.train_tokens,
        "validation_tokens": cost.validation_tokens,
        "epochs": cost.epochs,
        "billed_tokens": cost.billed_tokens,
        "price_per_million_usd": cost.price_usd,
        "estimated_cost_usd": cost.cost_usd,
        "budget_usd": job_usd,
        "months": {
            month.key: {"limit": month.limit_usd, "spent": month.spent_usd, "set_aside": month.set_aside_usd}
            for month in months
        },
    }


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
    return f"({tokens}) {times} is {dollars(cost.cost_usd or 0.0)}"
