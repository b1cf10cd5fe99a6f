"""Evaluations made of plain scores, for the tests that judge, compare and report them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rag_assets.evaluation.model import Evaluation, ItemResult, Metric, Retrieved
from rag_assets.evaluation.statistics import interval

Scores = Mapping[str, float]


def item(question_id: str, scores: Scores, **values: Any) -> ItemResult:
    """The result of one question; its hash is derived from its id unless it is given."""
    defaults: dict[str, Any] = {
        "question_hash": f"hash of {question_id}",
        "question": f"What does {question_id} ask?",
        "tags": (),
        "sources": ("docs",),
        "answerable": True,
        "retrieved": (),
        "answer": "An answer.",
        "refused": False,
        "citations": (),
        "latency_ms": 12.0,
        "cost_usd": None,
    }
    return ItemResult(question_id=question_id, scores=dict(scores), **(defaults | values))


def passage(uri: str, **values: Any) -> Retrieved:
    """A passage that was retrieved."""
    defaults: dict[str, Any] = {
        "chunk_id": f"chunk of {uri}",
        "document_id": f"document of {uri}",
        "source": "docs",
        "heading_path": ("Guide", "Setup"),
        "page": None,
        "score": 0.5,
        "relevant": False,
    }
    return Retrieved(uri=uri, **(defaults | values))


def metrics_of(items: Sequence[ItemResult]) -> dict[str, Metric]:
    """Every metric as the mean over the items that have it."""
    names = dict.fromkeys(name for one in items for name in one.scores)
    found = {}
    for name in names:
        values = [one.scores[name] for one in items if name in one.scores]
        found[name] = Metric(sum(values) / len(values), interval(values, samples=500), len(values))
    return found


def evaluation(items: Sequence[ItemResult], *, name: str = "candidate", **values: Any) -> Evaluation:
    """An evaluation of these items."""
    orphaned = values.get("orphaned", {})
    counted = [one for one in items if one.question_id not in orphaned]
    defaults: dict[str, Any] = {
        "measured_id": f"measured {name}",
        "release_id": f"{name}0123456789"[:12],
        "snapshot_id": f"snapshot of {name}",
        "questions_version": "questions-1",
        "metrics": metrics_of(counted),
    }
    return Evaluation(evaluation_id=f"evaluation-{name}", items=tuple(items), **(defaults | values))


def scored(values: Sequence[float], *, name: str = "candidate", metric: str = "mrr_at_10", **more: Any) -> Evaluation:
    """An evaluation with one metric: `values` are the scores of the questions q000, q001, …"""
    return evaluation([item(f"q{i:03}", {metric: value}) for i, value in enumerate(values)], name=name, **more)
