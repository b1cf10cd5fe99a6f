"""What models cost, as an asset: its numbers are plotted over time, and it draws each day of the last weeks."""

import base64
from datetime import UTC, datetime, timedelta

import dagster as dg

from rag_assets.assets.metadata import Metadata
from rag_assets.fingerprints import fingerprint
from rag_assets.ledger import Budget, dollars
from rag_assets.resources.project import ProjectResource
from rag_assets.spending import CostReport, Day, Period, cost_report, days, this_month
from rag_assets.spending.plot import spend_png

DAYS_DRAWN = 62
DESCRIPTION = """What every paid call cost: this month, by asset and by day, beside the budgets of `spend`.

Materialized each night with `report_spending`, with the maintenance, and by hand. `yesterday_usd` and `month_usd` over
time are under Plots; the days themselves are drawn in `by_day`. Costs nothing.
"""


@dg.asset(
    group_name="operations",
    kinds={"sql"},
    owners=["team:knowledge"],
    code_version="1",
    description=DESCRIPTION,
)
def spend_report(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
    """See `DESCRIPTION`."""
    now = datetime.now(UTC)
    with project.open() as opened:
        report = cost_report(opened.ledger, opened.settings.spend, this_month(now))
        drawn = days(opened.ledger, _last_days(now))
        metadata: Metadata = {
            **_numbers(report, drawn),
            **_budgets(report.budgets),
            "by_asset": dg.MetadataValue.md(_by_asset(report)),
        }
        png = spend_png(drawn, month_usd=opened.settings.spend.month_usd)
    if png is not None:
        image = base64.b64encode(png).decode()
        metadata["by_day"] = dg.MetadataValue.md(f"![what each day cost](data:image/png;base64,{image})")
    context.log.info(f"{dollars(report.total.cost_usd)} this month, {report.total.calls:,} calls.")
    version = fingerprint(month=str(report.period.since), total=report.to_dict()["total"])
    return dg.MaterializeResult(data_version=dg.DataVersion(version), metadata=metadata)


def _last_days(now: datetime) -> Period:
    until = this_month(now).until
    return Period(until - timedelta(days=DAYS_DRAWN), until)


def _numbers(report: CostReport, drawn: list[Day]) -> Metadata:
    """One number under a stable key each, which is what the UI plots."""
    today, yesterday = drawn[-1], drawn[-2]
    by_asset = {f"month_usd/{line.key or 'none'}": line.total.cost_usd for line in report.lines if line.total.cost_usd}
    return {
        "month_usd": report.total.cost_usd,
        "yesterday_usd": yesterday.total_usd,
        "today_usd": today.total_usd,
        "last_7_days_usd": sum(day.total_usd for day in drawn[-7:]),
        "set_aside_usd": report.set_aside_usd,
        "calls_this_month": report.total.calls,
        "calls_yesterday": yesterday.calls,
        "calls_without_price": report.total.unpriced_calls,
        "input_tokens_this_month": report.total.input_tokens,
        "output_tokens_this_month": report.total.output_tokens,
        **by_asset,
    }


def _budgets(budgets: tuple[Budget, ...]) -> Metadata:
    """The limits and what they leave; no figure where there is no limit."""
    found: Metadata = {}
    for budget in budgets:
        name = f"/{budget.asset}" if budget.asset else ""
        found |= {f"budget_usd{name}": budget.limit_usd, f"left_usd{name}": max(budget.left_usd, 0.0)}
    return found


def _by_asset(report: CostReport) -> str:
    header = ["| asset | calls | input tokens | output tokens | cost | without a price |", "|---|---|---|---|---|---|"]
    rows = [
        f"| {line.key or '(none)'} | {line.total.calls:,} | {line.total.input_tokens:,} | "
        f"{line.total.output_tokens:,} | {dollars(line.total.cost_usd)} | {line.total.unpriced_calls:,} |"
        for line in report.lines
    ]
    return "\n".join([*header, *rows]) if rows else "No model was asked anything this month."
