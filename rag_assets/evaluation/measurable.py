"""Which metrics a set of questions can measure, by its labels alone."""

from __future__ import annotations

from collections.abc import Sequence

from rag_assets.evaluation.answer_metrics import ANSWER_METRICS
from rag_assets.evaluation.model import GoldenQuestion
from rag_assets.evaluation.retrieval_metrics import METRICS


def measurable(questions: Sequence[GoldenQuestion], *, judged: bool) -> frozenset[str]:
    """The metrics that perfect answers to `questions` would have. `judged`: whether there is a judge."""
    found: set[str] = set()
    for question in questions:
        if not question.answerable:
            found |= {"refusal_precision", "refusal_recall"}
            continue
        found.add("citation_correctness")
        if question.expected:
            found |= METRICS.keys()
        if question.answers:
            found |= {*ANSWER_METRICS, *(["judge"] if judged else [])}
    return frozenset(found)
