"""Finds the weights of a scoring model from examples, by gradient descent in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_STEPS, _RATE = 400, 0.05
_FIRST_MOMENT, _SECOND_MOMENT = 0.9, 0.999


@dataclass(frozen=True, slots=True)
class Choice:
    """The candidates of one question: standardised features [n, d], and which of them hold the answer [n]."""

    features: NDArray[Any]
    right: NDArray[np.bool_]


def fit_choice(choices: Sequence[Choice], *, penalty: float = 3e-3) -> NDArray[np.float64]:
    """Weights [d] that make it likely to choose a right candidate by softmax.

    Minimises the mean of -log(sum of the right candidates' probabilities) + penalty * |weights|^2. Choices without a
    right candidate teach nothing and are left out; ValueError if none is left.
    """
    usable = [choice for choice in choices if choice.right.any()]
    if not usable:
        raise ValueError("no choice has a right candidate")
    rows = np.concatenate([choice.features for choice in usable]).astype(np.float64)
    right = np.concatenate([choice.right for choice in usable])
    sizes = [len(choice.right) for choice in usable]
    firsts = np.r_[0, np.cumsum(sizes)[:-1]]

    def gradient(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = rows @ weights
        powers = np.exp(scores - np.repeat(np.maximum.reduceat(scores, firsts), sizes))
        chances = powers / np.repeat(np.add.reduceat(powers, firsts), sizes)
        mass = np.maximum(np.add.reduceat(chances * right, firsts), 1e-12)
        wanted = chances * right / np.repeat(mass, sizes)
        return np.asarray(rows.T @ (chances - wanted) / len(usable) + 2 * penalty * weights)

    return _descend(gradient, rows.shape[1])


def fit_chance(
    rows: NDArray[Any], outcomes: NDArray[np.bool_], *, penalty: float = 3e-3
) -> tuple[NDArray[np.float64], float]:
    """Weights [d] and bias of a logistic regression of `outcomes` [n] on `rows` [n, d]; the bias is not penalised."""
    padded = np.concatenate([rows, np.ones((len(rows), 1))], axis=1).astype(np.float64)
    penalties = np.r_[np.full(rows.shape[1], penalty), 0.0]

    def gradient(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        chances = 1 / (1 + np.exp(-padded @ weights))
        return np.asarray(padded.T @ (chances - outcomes) / len(padded) + 2 * penalties * weights)

    found = _descend(gradient, padded.shape[1])
    return found[:-1], float(found[-1])


def _descend(gradient: Any, size: int) -> NDArray[np.float64]:
    """Adam (https://arxiv.org/abs/1412.6980) over the whole data with a rate that falls linearly to 0."""
    weights, first, second = np.zeros(size), np.zeros(size), np.zeros(size)
    for step in range(1, _STEPS + 1):
        slope = gradient(weights)
        first = _FIRST_MOMENT * first + (1 - _FIRST_MOMENT) * slope
        second = _SECOND_MOMENT * second + (1 - _SECOND_MOMENT) * slope**2
        scaled = first / (1 - _FIRST_MOMENT**step) / (np.sqrt(second / (1 - _SECOND_MOMENT**step)) + 1e-8)
        weights = weights - _RATE * (1 - step / (_STEPS + 1)) * scaled
    return weights
