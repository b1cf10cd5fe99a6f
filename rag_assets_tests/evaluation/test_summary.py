from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from rag_assets.config import MetricName
from rag_assets.evaluation.summary import by_group, summarise
from rag_assets_tests.evaluation.builders import item


def test_a_metric_is_the_mean_over_the_items_that_have_it() -> None:
    items = [
        item("a", {"mrr_at_10": 1.0, "refusal_precision": 0.0}, latency_ms=10.0, cost_usd=0.25),
        item("b", {"mrr_at_10": 0.5}, latency_ms=30.0, cost_usd=None),
        item("c", {"mrr_at_10": 0.0}, latency_ms=900.0, error="It broke."),
    ]
    metrics = summarise(items, samples=500)
    assert (metrics["mrr_at_10"].value, metrics["mrr_at_10"].n) == (0.5, 3)
    low, high = metrics["mrr_at_10"].ci95 or (9, 9)
    assert 0 <= low < 0.5 < high <= 1
    assert (metrics["refusal_precision"].value, metrics["refusal_precision"].n) == (0.0, 1)
    assert (metrics["judge"].value, metrics["judge"].ci95, metrics["judge"].n) == (None, None, 0)
    assert (metrics["latency_p50_ms"].value, metrics["latency_p50_ms"].n) == (20.0, 2)
    assert (metrics["cost_per_question_usd"].value, metrics["cost_per_question_usd"].n) == (0.25, 1)
    assert set(metrics) == {
        *get_args(MetricName), "answer_words", "latency_p50_ms", "latency_p95_ms", "cost_per_question_usd",
    }  # fmt: skip


def test_the_percentiles_are_those_of_the_latencies_and_their_intervals_cover_the_true_ones() -> None:
    covered = 0
    for seed in range(60):
        latencies = np.random.default_rng(seed).lognormal(3, 1, 200)
        items = [item(str(n), {}, latency_ms=float(value)) for n, value in enumerate(latencies)]
        metric = summarise(items, samples=300)["latency_p95_ms"]
        assert metric.value == pytest.approx(np.percentile(latencies, 95))
        low, high = metric.ci95 or (0.0, 0.0)
        covered += low < np.exp(3 + 1.645) < high
    assert 50 <= covered < 60


def test_nothing_measured_has_no_value() -> None:
    assert all(metric.value is None and metric.n == 0 for metric in summarise([], samples=100).values())


def test_an_item_counts_in_each_of_its_groups() -> None:
    items = [item("a", {"mrr_at_10": 1.0}, tags=("x", "y")), item("b", {"mrr_at_10": 0.0}, tags=("y",)), item("c", {})]
    groups = by_group(items, lambda one: one.tags, samples=100)
    assert {group: metrics["mrr_at_10"].value for group, metrics in groups.items()} == {"x": 1.0, "y": 0.5}
