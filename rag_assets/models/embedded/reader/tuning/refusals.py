"""Fits how sure the tuned reader is, where the examples show questions that their passages do not answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_assets.models.embedded.reader.reader import best_signals
from rag_assets.models.embedded.reader.scoring import ScoringModel
from rag_assets.models.embedded.reader.spans import whole_units
from rag_assets.models.embedded.reader.tuning.material import Floats, Lesson

LEAST_OF_EACH = 10
_PENALTY, _ITERATIONS = 0.02, 50


def with_confidence(model: ScoringModel, train: Sequence[Lesson], held: Sequence[Lesson]) -> ScoringModel:
    """`model` with its confidence's logarithm of odds stretched and moved to suit `train`; the threshold stays.

    Two numbers are fitted, kept near 1 and 0, and answered and refused questions weigh alike, so that the threshold
    means what it meant whatever share of the examples is refused. The model comes back as it is where there are fewer
    than `LEAST_OF_EACH` of either, and where the loss over `held` (over `train`, if that has none of either) grows.
    """
    odds, answered = _odds(model, train)
    if min(answered.sum(), (~answered).sum()) < LEAST_OF_EACH:
        return model
    stretch, shift = _fit(odds, answered)
    if stretch <= 0:
        return model
    judged = _odds(model, held)
    if not judged[1].any() or judged[1].all():
        judged = odds, answered
    if _loss(stretch * judged[0] + shift, judged[1]) >= _loss(*judged):
        return model
    return replace(
        model,
        confidence={name: stretch * weight for name, weight in model.confidence.items()},
        confidence_bias=stretch * model.confidence_bias + shift,
    )


def _odds(model: ScoringModel, lessons: Sequence[Lesson]) -> tuple[Floats, NDArray[np.bool_]]:
    """For each lesson that was answered or refused, the logarithm of the odds of being answerable, and which it was."""
    told = [lesson for lesson in lessons if lesson.refusal or lesson.right.any()]
    odds = []
    for lesson in told:
        chance = model.confidence_of(_signals(model, lesson))
        odds.append(float(np.log(chance / (1 - chance))))
    return np.array(odds, np.float64), np.array([not lesson.refusal for lesson in told], bool)


def _signals(model: ScoringModel, lesson: Lesson) -> dict[str, float]:
    candidates = [whole_units(evidence) for evidence in lesson.reviewed.evidence]
    sizes = [len(each.first) for each in candidates]
    features = np.split(lesson.features, np.cumsum(sizes)[:-1])
    places = [(passage, number) for passage, size in enumerate(sizes) for number in range(size)]
    scores = model.sentence_scores(lesson.features)
    powers = np.exp(scores - scores.max())
    top = int(powers.argmax())
    return best_signals(lesson.reviewed, candidates, features, places[top], float(powers[top] / powers.sum()))


def _balance(answered: NDArray[np.bool_]) -> Floats:
    """Weights with sum 1, half of it for each kind."""
    return np.asarray(np.where(answered, 0.5 / max(answered.sum(), 1), 0.5 / max((~answered).sum(), 1)))


def _loss(odds: Floats, answered: NDArray[np.bool_]) -> float:
    return float(_balance(answered) @ np.logaddexp(0, np.where(answered, -odds, odds)))


def _fit(odds: Floats, answered: NDArray[np.bool_]) -> tuple[float, float]:
    """Stretch and shift by Newton's method: a penalised logistic regression has one minimum."""
    rows: NDArray[Any] = np.stack([odds, np.ones(len(odds))], axis=1)
    weights, origin = np.array([1.0, 0.0]), np.array([1.0, 0.0])
    balance = _balance(answered)
    for _ in range(_ITERATIONS):
        chances = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        slope = rows.T @ (balance * (chances - answered)) + 2 * _PENALTY * (weights - origin)
        curve = (rows * (balance * chances * (1 - chances))[:, None]).T @ rows + 2 * _PENALTY * np.eye(2)
        step = np.linalg.solve(curve, slope)
        weights = weights - step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
    return float(weights[0]), float(weights[1])
