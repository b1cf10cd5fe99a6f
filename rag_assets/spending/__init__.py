"""What models cost: sums and days of a period beside the budgets, and their picture."""

from rag_assets.spending.periods import Period, month, since_day, this_month
from rag_assets.spending.report import CostLine, CostReport, Day, cost_report, days

PAID_ASSETS = (
    "embeddings",
    "training_file",
    "eval_report",
    "model_comparison",
    "fine_tuning_job",
    "answers",
    "search",
    "write",
    "eval",
)
"""What the platform itself pays for, by the names that its calls have in the ledger and in `spend.assets`."""

__all__ = [
    "PAID_ASSETS",
    "CostLine",
    "CostReport",
    "Day",
    "Period",
    "cost_report",
    "days",
    "month",
    "since_day",
    "this_month",
]
