"""The report's plots as SVG text: metrics with their intervals, and one metric over the releases.

Text stays text. Colours are either CSS variables, for a page that knows light and dark, or fixed ones that can be read
on both, for an image. Equal input gives equal bytes.
"""

from __future__ import annotations

import base64
import io
import math
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What is drawn with, the page's variable for it, and what an image has instead.
INK = ("#010101", "var(--ink)", "#6b7280")
SOFT = ("#020202", "var(--soft)", "#8b919c")
LINE = ("#030303", "var(--line)", "#9ca3af66")
MAIN = ("#040404", "var(--main)", "#2f7de1")
OTHER = ("#050505", "var(--other)", "#9a6b1f")
BAD = ("#060606", "var(--bad)", "#d1453b")
PALETTE = (INK, SOFT, LINE, MAIN, OTHER, BAD)
WIDTH_INCHES = 8.6
DATES_SHOWN = 9
_settings_lock = threading.Lock()  # matplotlib's settings are the process's


@dataclass(frozen=True, slots=True)
class Bar:
    """One metric: its value and interval here, in the baseline, and the least it must reach."""

    label: str
    value: float
    ci95: tuple[float, float] | None
    baseline: float | None
    minimum: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """One release in the history: when, its id, and metric → value and interval."""

    when: str
    release_id: str
    values: Mapping[str, tuple[float, tuple[float, float] | None]]


def metrics_plot(bars: Sequence[Bar], *, baseline: str) -> str:
    """Each metric a row: a dot with its interval, a ring for the baseline, a bar where the minimum is."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, 0.75 + 0.32 * len(bars)), layout="constrained")
    axes = figure.add_subplot()
    for row, bar in enumerate(bars):
        low, high = bar.ci95 or (bar.value, bar.value)
        short = bar.minimum is not None and bar.value < bar.minimum
        colour = BAD[0] if short else MAIN[0]
        axes.plot([low, high], [row, row], color=colour, linewidth=2.2, solid_capstyle="round", zorder=2)
        axes.plot([bar.value], [row], "o", color=colour, markersize=6.5, zorder=4)
        if bar.baseline is not None:
            axes.plot(
                [bar.baseline], [row], "o", color=OTHER[0], markersize=9.5, markerfacecolor="none", markeredgewidth=1.4,
                zorder=3,
            )  # fmt: skip
        if bar.minimum is not None:
            axes.plot([bar.minimum] * 2, [row - 0.34, row + 0.34], color=BAD[0], linewidth=1.6, zorder=3)
    axes.set_yticks(range(len(bars)), [bar.label for bar in bars])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    plain_axes(axes, grid="x")
    _key(axes, baseline=baseline if any(bar.baseline is not None for bar in bars) else "", bars=bars)
    return as_svg(figure, "metrics")


def history_plot(points: Sequence[Point], metrics: Sequence[tuple[str, str]]) -> str:
    """The first of `metrics` (name, label) with its intervals and the others as thin lines, oldest release first.

    The axis ends at 1 and starts at the tenth below the lowest figure.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, 2.7), layout="constrained")
    axes = figure.add_subplot()
    colours = (MAIN, OTHER, SOFT, INK)
    ends: list[tuple[float, str, str]] = []
    lows: list[float] = []
    for number, (metric, label) in enumerate(metrics):
        colour = colours[number % len(colours)][0]
        known = [(at, point.values[metric]) for at, point in enumerate(points) if metric in point.values]
        if not known:
            continue
        places = [at for at, _ in known]
        values = [value for _, (value, _) in known]
        lows += [min(0.9, ci95[0] if number == 0 and ci95 else value) for _, (value, ci95) in known]
        if number == 0:
            for at, (_, ci95) in known:
                if ci95:
                    axes.plot([at, at], ci95, color=colour, linewidth=1.2, alpha=0.6, zorder=2)
        axes.plot(
            places, values, "-o", color=colour, linewidth=2.0 if number == 0 else 1.1,
            markersize=5 if number == 0 else 3, zorder=3,
        )  # fmt: skip
        ends.append((values[-1], label, colour))
    bottom = math.floor(10 * min(lows, default=0.0) + 1e-9) / 10
    heights = _apart([value for value, _, _ in ends], distance=0.085 * (1 - bottom), lowest=bottom)
    for height, (value, label, colour) in zip(heights, ends, strict=True):
        axes.annotate(
            f"{label} {value:.3f}", (len(points) - 1, height), (9, 0), textcoords="offset points", va="center",
            color=colour, fontsize=9, annotation_clip=False,
        )  # fmt: skip
    steps = min(len(points) - 1, DATES_SHOWN)
    shown = sorted({round(step * (len(points) - 1) / max(1, steps)) for step in range(steps + 1)})
    axes.set_xticks(shown, [f"{points[at].when}\n{points[at].release_id[:7]}" for at in shown])
    axes.set_xlim(-0.4, len(points) - 0.6 + 0.22 * len(points))
    axes.set_ylim(bottom - 0.03 * (1 - bottom), 1 + 0.03 * (1 - bottom))
    step = next(step for step in (0.05, 0.1, 0.2) if 1 - bottom <= 6 * step + 1e-9)
    axes.set_yticks([1 - step * at for at in range(math.floor((1 - bottom) / step + 1e-9) + 1)])
    axes.yaxis.set_major_formatter("{x:.2f}")
    plain_axes(axes, grid="y")
    return as_svg(figure, "history")


def for_page(svg: str) -> str:
    """For inlining: coloured by the page's variables."""
    return _coloured(svg, 1)


def as_image(svg: str) -> str:
    """A `data:` URI, coloured so that it can be read on light and on dark."""
    return "data:image/svg+xml;base64," + base64.b64encode(_coloured(svg, 2).encode()).decode()


def _apart(values: Sequence[float], *, distance: float, lowest: float) -> list[float]:
    """Where to write labels of these values so that none covers another, none of them below `lowest`."""
    order = sorted(range(len(values)), key=lambda at: -values[at])
    placed = list(values)
    for upper, lower in pairwise(order):
        placed[lower] = min(placed[lower], placed[upper] - distance)
    lift = max(0.0, lowest - min(placed, default=lowest))
    return [at + lift for at in placed]


def plain_axes(axes: Axes, *, grid: str) -> None:
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, labelsize=9, labelcolor=INK[0], pad=6)
    axes.tick_params(axis="x" if grid == "x" else "both", labelsize=8.5, labelcolor=SOFT[0])
    axes.grid(axis=grid, color=LINE[0], linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def _key(axes: Axes, *, baseline: str, bars: Sequence[Bar]) -> None:
    from matplotlib.lines import Line2D

    handles: list[Any] = [
        Line2D([], [], color=MAIN[0], marker="o", markersize=6.5, linewidth=2.2, label="here, with its 95 % interval")
    ]
    if baseline:
        handles.append(
            Line2D([], [], color=OTHER[0], marker="o", markersize=9.5, linewidth=0, markerfacecolor="none",
                   markeredgewidth=1.4, label=baseline)
        )  # fmt: skip
    if any(bar.minimum is not None for bar in bars):
        handles.append(Line2D([], [], color=BAD[0], marker="|", markersize=11, markeredgewidth=1.6, linewidth=0,
                              label="minimum"))  # fmt: skip
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, frameon=False, fontsize=9,
        labelcolor=SOFT[0], borderaxespad=0.2, handletextpad=0.6, columnspacing=1.8,
    )  # fmt: skip


def as_svg(figure: Figure, name: str) -> str:
    import matplotlib

    settings = {"svg.fonttype": "none", "svg.hashsalt": name, "text.parse_math": False}
    drawn = io.StringIO()
    with _settings_lock, matplotlib.rc_context(settings):
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = drawn.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # a page has several plots, and no id may be there twice
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font: ([0-9.]+)px [^;\"]*", r"font: \1px system-ui, sans-serif", svg)
    # Hundredths of a point are more than can be seen; text between tags stays as it is.
    svg = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\.\d\d)\d+", r"\1", tag[0]), svg)
    svg = re.sub(r"\n\s*", "\n", svg)
    return re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', 'role="img"', svg, count=1)


def _coloured(svg: str, which: int) -> str:
    for colours in PALETTE:
        svg = svg.replace(colours[0], colours[which])
    return svg
