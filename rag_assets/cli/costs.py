"""`rag-assets costs`: what the models cost, and what the budgets leave."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag_assets.cli.output import JsonOption, print_json, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag_assets.models.usage import UsageTotal
    from rag_assets.project import Project
    from rag_assets.spending import CostReport, Period


class By(StrEnum):
    """What a line stands for."""

    source = "source"
    model = "model"
    asset = "asset"
    day = "day"


def costs(
    by: Annotated[By, typer.Option(help="One line for each of these.")] = By.asset,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="From this day on (UTC), as YYYY-MM-DD.")] = None,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="That month; this one if not given.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw the cost of each day there.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what every paid call cost, of this month or another time, and what the budgets of this month leave.

    An asset is what a call was for: embeddings, eval_report, fine_tuning_job, …; and answers, search, write and eval
    for what people ask. A source is that of an ingestion. Days and months are in UTC.

    --json prints by, since, until, rows (source, model, asset or day; calls, requests, input_tokens, output_tokens,
    cost_usd, unpriced_calls, estimated_calls, share), total, set_aside_usd (for what is under way), budgets (budget,
    setting, month, limit_usd, spent_usd, set_aside_usd, left_usd) and plot, the picture's path.

    Example: rag-assets costs --by model --since 2026-11-01 --json
    """
    from rag_assets.project import Project
    from rag_assets.spending import cost_report

    if plot is not None:
        _check_plot(plot)
    period = _period(since, month)
    with Project.open() as project:
        report = cost_report(project.ledger, project.settings.spend, period, by=by.value)
        drawn = plot is not None and _draw(project, period, plot)
    if as_json:
        print_json({**report.to_dict(), "plot": str(plot) if drawn else None})
        return
    for line in _table(report):
        say(line)
    if plot is not None:
        say(f"plot: {plot}" if drawn else "plot: none, for nothing was spent")


def _period(since: str | None, month: str | None) -> Period:
    from datetime import UTC, datetime

    from rag_assets import spending
    from rag_assets.errors import ConfigurationError

    now = datetime.now(UTC)
    if since is not None and month is not None:
        raise ConfigurationError("--since and --month were both given.", fix="Give one of them.")
    if since is not None:
        return spending.since_day(since, now)
    return spending.this_month(now) if month is None else spending.month(month)


def _check_plot(file: Path) -> None:
    from rag_assets.errors import ConfigurationError

    if file.suffix.lower() != ".png" or file.is_dir() or not file.resolve().parent.is_dir():
        raise ConfigurationError(
            f"The plot cannot be written to {file}.", fix="Name a file that ends in .png, in a folder that exists."
        )


def _draw(project: Project, period: Period, file: Path) -> bool:
    from rag_assets.errors import ReportError
    from rag_assets.spending import days
    from rag_assets.spending.plot import spend_png

    png = spend_png(days(project.ledger, period), month_usd=project.settings.spend.month_usd)
    if png is None:
        return False
    try:
        file.write_bytes(png)
    except OSError as error:
        raise ReportError(f"{file} cannot be written: {error.strerror}.", fix="Name another file.") from None
    return True


def _table(report: CostReport) -> list[str]:
    from rag_assets.ledger import dollars

    if not report.total.calls:
        lines = [f"No model was asked anything ({report.period})."]
    else:
        rows: list[tuple[str, ...]] = [(report.by, "calls", "input tokens", "output tokens", "cost", "share", "")]
        for line in report.lines:
            share = "" if line.share is None else f"{line.share:.1%}"
            rows.append((line.key or "(none)", *_figures(line.total), share, _notes(line.total)))
        rows.append(("total", *_figures(report.total), "", _notes(report.total)))
        lines = [f"{report.period} (UTC)", *_aligned(rows)]
    if report.set_aside_usd:
        lines.append(f"{dollars(report.set_aside_usd)} is set aside for what is under way.")
    lines += [f"{budget.key}: {budget.figures()}." for budget in report.budgets]
    return lines


def _figures(total: UsageTotal) -> tuple[str, str, str, str]:
    from rag_assets.ledger import dollars

    cost = "unknown" if total.unpriced_calls == total.calls else dollars(total.cost_usd)
    return f"{total.calls:,}", f"{total.input_tokens:,}", f"{total.output_tokens:,}", cost


def _notes(total: UsageTotal) -> str:
    return f"{total.unpriced_calls:,} without a known price" if total.unpriced_calls else ""


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns under each other: the first to the left, the figures to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for row in rows:
        figures = [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *figures, row[-1]]).rstrip())
    return lines
