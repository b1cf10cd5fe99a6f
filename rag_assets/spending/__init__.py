"""What models cost: sums and days of a period beside the budgets, and their picture."""

from rag_assets.spending.periods import Period, month, since_day, this_month
from rag_assets.spending.report import CostLine, CostReport, Day, cost_report, days

__all__ = [
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
