"""What was spent each day, as a picture: bars by asset, and their sum in each month against its budget."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rag_assets.spending.report import Day

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that can be read on light and on dark, as in the reports of evaluations.
TEXT, GRID, SUM, LIMIT = "#8b919c", "#9ca3af66", "#6b7280", "#d1453b"
COLOURS = ("#2f7de1", "#9a6b1f", "#3f9c6b", "#8a5cc4", "#c46a9c", "#5b8b94")
OTHERS = "others"
SIZE_INCHES = (8.6, 3.6)
DOTS_PER_INCH = 110
DATES_SHOWN = 9


def spend_png(days: Sequence[Day], *, month_usd: float | None = None) -> bytes | None:
    """A PNG with a transparent ground; None where nothing was spent. `month_usd` is the month's budget, if any."""
    if not any(day.cost_usd for day in days):
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    each, sums = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    places = range(len(days))
    bottoms = [0.0] * len(days)
    for name, values, colour in _bars(days):
        each.bar(places, values, bottom=bottoms, color=colour, width=0.8, label=name)
        bottoms = [below + value for below, value in zip(bottoms, values, strict=True)]
    sums.plot(places, _sums(days), color=SUM, linewidth=1.6, drawstyle="steps-mid")
    if month_usd is not None:
        sums.axhline(month_usd, color=LIMIT, linewidth=1.2, linestyle="--", label="budget of a month")
        sums.legend(frameon=False, fontsize=8.5, labelcolor=TEXT, loc="upper left")
    each.legend(frameon=False, fontsize=8.5, labelcolor=TEXT, loc="upper left", ncols=3)
    _dress(each, "US dollars a day")
    _dress(sums, "sum of the month, as far as it is shown")
    steps = min(len(days) - 1, DATES_SHOWN)
    shown = sorted({round(step * (len(days) - 1) / max(1, steps)) for step in range(steps + 1)})
    sums.set_xticks(shown, [f"{days[at].day:%m-%d}" for at in shown])
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH, transparent=True, metadata={"Software": None})
    return drawn.getvalue()


def _bars(days: Sequence[Day]) -> list[tuple[str, list[float], str]]:
    """The dearest assets, each with its cost of every day and its colour; what has no colour left is summed."""
    totals: dict[str, float] = {}
    for day in days:
        for asset, cost_usd in day.cost_usd.items():
            totals[asset] = totals.get(asset, 0.0) + cost_usd
    order = sorted(totals, key=lambda asset: (-totals[asset], asset))
    own, rest = (order, []) if len(order) <= len(COLOURS) else (order[: len(COLOURS) - 1], order[len(COLOURS) - 1 :])
    bars = [(asset or "not named", [day.cost_usd.get(asset, 0.0) for day in days]) for asset in own]
    if rest:
        bars.append((OTHERS, [sum(day.cost_usd.get(asset, 0.0) for asset in rest) for day in days]))
    return [(name, values, colour) for (name, values), colour in zip(bars, COLOURS, strict=False)]


def _sums(days: Sequence[Day]) -> list[float]:
    """The sum of the month so far at the end of each day, from the first that is shown."""
    sums: list[float] = []
    so_far = 0.0
    for day in days:
        so_far = day.total_usd + (0.0 if day.day.day == 1 else so_far)
        sums.append(so_far)
    return sums


def _dress(axes: Axes, title: str) -> None:
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title(title, fontsize=10, color=TEXT, loc="left")
    axes.tick_params(length=0, labelsize=8.5, labelcolor=TEXT)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_ylim(bottom=0)
    axes.set_axisbelow(True)
