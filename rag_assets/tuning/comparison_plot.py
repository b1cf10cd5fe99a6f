"""The differences between two models as a picture: a dot with its interval for each metric, and a line at none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag_assets.evaluation.report.plots import LINE, MAIN, SOFT, WIDTH_INCHES, as_svg, plain_axes


@dataclass(frozen=True, slots=True)
class Row:
    """Challenger minus champion in one metric, with the 95 % interval."""

    label: str
    difference: float
    ci95: tuple[float, float]
    primary: bool


def differences_plot(rows: Sequence[Row]) -> str:
    """SVG text with the palette of the reports; the axis has as much room on either side of 0."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, 0.7 + 0.32 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color=LINE[0], linewidth=1.6, zorder=1)
    for at, row in enumerate(rows):
        colour = MAIN[0] if row.primary else SOFT[0]
        axes.plot(row.ci95, [at, at], color=colour, linewidth=2.2, solid_capstyle="round", zorder=2)
        axes.plot([row.difference], [at], "o", color=colour, markersize=6.5, zorder=3)
    widest = max((abs(end) for row in rows for end in row.ci95), default=0.0)
    axes.set_xlim(-1.1 * widest - 0.01, 1.1 * widest + 0.01)
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    plain_axes(axes, grid="x")
    return as_svg(figure, "differences")
