"""Training curves as a picture: loss on the left, accuracy on the right, training and validation in each."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from rag_assets.tuning.curves import Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that can be read on light and on dark, as in the reports of evaluations.
TEXT, GRID, TRAIN, VALIDATION = "#8b919c", "#9ca3af66", "#2f7de1", "#d1453b"
SIZE_INCHES = (8.6, 3.0)
DOTS_PER_INCH = 110
PANELS = (("loss", "train_loss", "valid_loss"), ("accuracy", "train_accuracy", "valid_accuracy"))
FEW_POINTS = 30


def curves_png(curves: Curves) -> bytes | None:
    """A PNG with a transparent ground; None where nothing was measured."""
    if not any(curves.of(name) for panel in PANELS for name in panel[1:]):
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    for axes, (title, train, validation) in zip(figure.subplots(1, 2), PANELS, strict=True):
        _line(axes, curves.of(train), TRAIN, "train")
        _line(axes, curves.of(validation), VALIDATION, "validation")
        _dress(axes, title)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH, transparent=True, metadata={"Software": None})
    return drawn.getvalue()


def as_markdown_image(png: bytes, alt: str) -> str:
    """The picture inline, as Markdown shows it."""
    return f"![{alt}](data:image/png;base64,{base64.b64encode(png).decode()})"


def _line(axes: Axes, points: list[tuple[int, float]], colour: str, label: str) -> None:
    if not points:
        return
    steps, values = zip(*points, strict=True)
    marker = "o" if len(points) <= FEW_POINTS else ""
    axes.plot(steps, values, color=colour, linewidth=1.6, marker=marker, markersize=3.2, label=label)


def _dress(axes: Axes, title: str) -> None:
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title(title, fontsize=10, color=TEXT, loc="left")
    axes.set_xlabel("step", fontsize=8.5, color=TEXT)
    axes.tick_params(length=0, labelsize=8.5, labelcolor=TEXT)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    if axes.lines:
        axes.legend(frameon=False, fontsize=8.5, labelcolor=TEXT)
