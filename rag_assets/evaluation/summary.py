"""Metrics over many items, with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import get_args

import numpy as np

from rag_assets.config import MetricName
from rag_assets.evaluation.model import ItemResult, Metric
from rag_assets.evaluation.statistics import Floats, interval

ANSWER_WORDS = "answer_words"
PERCENTILES = {"latency_p50_ms": 50, "latency_p95_ms": 95}
COST = "cost_per_question_usd"


def summarise(items: Sequence[ItemResult], *, samples: int) -> dict[str, Metric]:
    """Metric → its value over `items`, for every metric there is.

    A metric is the mean over the items that have its score; an error has the score 0 in all that apply. Latency and
    cost are over the items that got an answer, and cost over those of them whose price is known.
    """
    metrics = {
        name: _mean([item.scores[name] for item in items if name in item.scores], samples)
        for name in (*get_args(MetricName), ANSWER_WORDS)
    }
    answered = [item for item in items if item.error is None]
    latencies = [item.latency_ms for item in answered]
    for name, percentile in PERCENTILES.items():
        metrics[name] = _metric(latencies, samples, _percentile(percentile))
    metrics[COST] = _mean([item.cost_usd for item in answered if item.cost_usd is not None], samples)
    return metrics


def by_group(
    items: Sequence[ItemResult], groups: Callable[[ItemResult], Iterable[str]], *, samples: int
) -> dict[str, dict[str, Metric]]:
    """Group → `summarise` of the items in it, sorted by group; an item may be in several groups, or in none."""
    members: dict[str, list[ItemResult]] = {}
    for item in items:
        for group in groups(item):
            members.setdefault(group, []).append(item)
    return {group: summarise(members[group], samples=samples) for group in sorted(members)}


def _percentile(percentile: int) -> Callable[[Floats, int], Floats]:
    def of(values: Floats, axis: int) -> Floats:
        return np.asarray(np.percentile(values, percentile, axis=axis), dtype=np.float64)

    return of


def _mean(values: Sequence[float], samples: int) -> Metric:
    if not values:
        return Metric(None, None, 0)
    return Metric(float(np.mean(values)), interval(values, samples=samples), len(values))


def _metric(values: Sequence[float], samples: int, statistic: Callable[[Floats, int], Floats]) -> Metric:
    if not values:
        return Metric(None, None, 0)
    value = float(statistic(np.asarray(values, dtype=np.float64), 0))
    return Metric(value, interval(values, samples=samples, statistic=statistic), len(values))
