"""Loss and accuracy of a training, step by step: read from a results file of OpenAI's shape, kept as numbers.

    step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy

Base64 or plain. Validation is measured at some steps only; the whole validation set (`full_valid_…`), where a provider
measures it, goes before a batch of it.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rag_assets.errors import TuningError

NAMES: dict[str, tuple[str, ...]] = {
    "train_loss": ("train_loss", "training_loss"),
    "train_accuracy": ("train_accuracy", "train_mean_token_accuracy", "training_token_accuracy"),
    "valid_loss": ("full_valid_loss", "valid_loss", "validation_loss"),
    "valid_accuracy": ("full_valid_mean_token_accuracy", "valid_mean_token_accuracy", "valid_accuracy"),
}
"""Each figure, and what providers call it; the first that a row has counts."""
POINTS_KEPT = 400


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What was measured at one step; None is not measured there."""

    step: int
    train_loss: float | None = None
    train_accuracy: float | None = None
    valid_loss: float | None = None
    valid_accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Curves:
    """All points, by step."""

    points: tuple[CurvePoint, ...]

    def of(self, name: str) -> list[tuple[int, float]]:
        """(step, value) of one figure, where it was measured."""
        values = ((point.step, getattr(point, name)) for point in self.points)
        return [(step, value) for step, value in values if value is not None]

    def metrics(self) -> dict[str, float | int]:
        """The last value of each figure, the lowest validation loss with its step, and the number of steps."""
        last = {name: self.of(name)[-1][1] for name in NAMES if self.of(name)}
        found: dict[str, float | int] = {name: round(value, 6) for name, value in last.items()}
        if self.points:
            found["steps"] = self.points[-1].step
        if measured := self.of("valid_loss"):
            step, loss = min(measured, key=lambda one: one[1])
            found |= {"best_valid_loss": round(loss, 6), "best_step": step}
        return found

    def as_columns(self) -> dict[str, list[float | int | None]]:
        """The figures by name, each as long as `step`, thinned to at most `POINTS_KEPT` points."""
        kept = _thinned(self.points)
        columns: dict[str, list[float | int | None]] = {"step": [point.step for point in kept]}
        return columns | {name: [getattr(point, name) for point in kept] for name in NAMES}

    @classmethod
    def from_columns(cls, columns: Mapping[str, list[Any]]) -> Curves:
        """What `as_columns` gave."""
        rows = (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
        return cls(tuple(CurvePoint(**row) for row in rows))


def read_results(content: bytes) -> Curves:
    """The curves in a results file. Raises `TuningError` where it is not of that shape."""
    text = _decoded(content)
    rows = csv.DictReader(io.StringIO(text))
    if "step" not in (rows.fieldnames or []):
        raise TuningError("The provider's results file has no column `step`.", fix="The model is not affected by it.")
    return of_rows(rows)


def of_rows(rows: Iterable[Mapping[str, Any]]) -> Curves:
    """The curves in rows of figures with a `step`; rows without one are left out, later ones replace earlier."""
    points: dict[int, CurvePoint] = {}
    for row in rows:
        step = _number(row.get("step"))
        if step is not None:
            figures = {name: _first(row, names) for name, names in NAMES.items()}
            points[int(step)] = CurvePoint(int(step), **figures)
    return Curves(tuple(points[step] for step in sorted(points)))


def _decoded(content: bytes) -> str:
    """The CSV text. OpenAI sends it in base64, compatible servers as it is."""
    text = content.decode("utf-8-sig", "replace")
    if "," in text.partition("\n")[0]:
        return text
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8-sig")
    except (binascii.Error, ValueError):
        return text


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    return next((value for name in names if (value := _number(row.get(name))) is not None), None)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    # What was not measured is an empty cell, nan, or -1, depending on the provider.
    return number if math.isfinite(number) and number >= 0 else None


def _thinned(points: tuple[CurvePoint, ...]) -> list[CurvePoint]:
    """Evenly spread points with the ends and the best; where validation was measured rarely, all of its points too."""
    if len(points) <= POINTS_KEPT:
        return list(points)
    measured = [point for point in points if point.valid_loss is not None or point.valid_accuracy is not None]
    best = min(points, key=lambda point: math.inf if point.valid_loss is None else point.valid_loss)
    kept = {points[0], points[-1], best, *(measured if len(measured) <= POINTS_KEPT // 2 else ())}
    kept |= set(_spread(points, POINTS_KEPT - len(kept)))
    return sorted(kept, key=lambda point: point.step)


def _spread(points: tuple[CurvePoint, ...], count: int) -> list[CurvePoint]:
    return [points[round(at * (len(points) - 1) / (count - 1))] for at in range(count)]
