"""The rules of the quality gate, each asked by itself: what it found, and the questions that broke it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rag_assets.config import EvaluationSettings
from rag_assets.evaluation.compare import common_items, score_changes
from rag_assets.evaluation.model import JUDGE_FAILED, Evaluation, ItemResult
from rag_assets.evaluation.retrieval_metrics import METRICS
from rag_assets.evaluation.statistics import PairedDifference, paired_difference

LISTED_QUESTIONS = 10
LISTED_TEXT_CHARACTERS = 200
SERVING = "serving"
"""The name of the baseline that users are answered by."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a candidate is held against. `name` says what it is: "serving", "best past".

    `chosen_from`: how many releases it was chosen from for having the best figure; 1 when it was not chosen so.
    """

    name: str
    release_id: str
    evaluation: Evaluation
    chosen_from: int = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it turned out. `questions` are those that broke it, the worst first."""

    rule: str
    passed: bool
    text: str
    values: dict[str, Any]
    questions: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "passed": self.passed,
            "text": self.text,
            **self.values,
            "questions": self.questions[:LISTED_QUESTIONS],
        }


def orphans(evaluation: Evaluation, settings: EvaluationSettings) -> Rule:
    """Whether too many questions lost the documents they expect, as when a source was emptied."""
    total = len({item.question_id for item in evaluation.items} | evaluation.orphaned.keys())
    fraction = len(evaluation.orphaned) / total
    passed = fraction <= settings.max_orphaned_fraction
    return Rule(
        rule="orphaned",
        passed=passed,
        text=f"{len(evaluation.orphaned)} of {counted(total)} lost their expected documents; at most "
        f"{settings.max_orphaned_fraction:.0%} may",
        values={"value": fraction, "limit": settings.max_orphaned_fraction, "n": total},
        questions=[]
        if passed
        else [{"question_id": key, "question": cut(why)} for key, why in sorted(evaluation.orphaned.items())],
    )


def minimum(evaluation: Evaluation, metric: str, least: float) -> Rule:
    """Whether `metric` reaches `least`; a metric that nothing measures does not."""
    measured = evaluation.metrics.get(metric)
    values = {"metric": metric, "value": measured.value if measured else None, "limit": least}
    if measured is None or measured.value is None:
        text = f"{metric} must reach {least:.3f}, and no question measures it"
        return Rule("minimum", False, text, values | {"n": 0}, [])
    passed = measured.value >= least
    failing = sorted(
        (item for item in evaluation.items if metric in item.scores and item.question_id not in evaluation.orphaned),
        key=lambda item: (item.scores[metric], item.question_id),
    )
    return Rule(
        rule="minimum",
        passed=passed,
        text=f"{metric} is {measured.value:.3f}, {'at least' if passed else 'below'} its minimum {least:.3f}",
        values=values | {"n": measured.n},
        questions=[]
        if passed
        else [
            {"question_id": item.question_id, "question": cut(item.question), "score": item.scores[metric]}
            for item in failing[:LISTED_QUESTIONS]
            if item.scores[metric] < 1
        ],
    )


def regression(evaluation: Evaluation, baseline: Baseline, settings: EvaluationSettings, baselines: int) -> Rule:
    """Whether the primary metric is significantly lower than in `baseline`, one of `baselines` that share the rate.

    What an error kept `baseline` from being scored by is left out: its 0 would hide a loss. In `evaluation` it counts.
    """
    metric = settings.primary_metric
    against = f"{baseline.name} {baseline.release_id}"
    rate = settings.false_alarm_rate / baselines / baseline.chosen_from
    both = [
        (before, after)
        for before, after in common_items(baseline.evaluation, evaluation)
        if metric in before.scores and metric in after.scores
    ]
    pairs = [(before.scores[metric], after.scores[metric]) for before, after in both if not kept_from(before, metric)]
    values = {
        "metric": metric,
        "against": baseline.release_id,
        "name": baseline.name,
        "false_alarm_rate": rate,
        "left_out": len(both) - len(pairs),
    }
    if not pairs:
        text = f"no question measures {metric} both here and in {against}"
        return Rule("regression", True, text, values | {"n": 0}, [])
    found = paired_difference(
        [after for _, after in pairs],
        [before for before, _ in pairs],
        samples=settings.bootstrap_samples,
        false_alarm_rate=rate,
        margin=settings.max_regression,
    )
    losses = [one for one in score_changes(baseline.evaluation, evaluation, metric) if one.change < 0]
    return Rule(
        rule="regression",
        passed=not found.worse,
        text=_regression_text(found, metric, against),
        values=values
        | {
            "n": found.n,
            "value": found.difference,
            "limit": 0.0 - settings.max_regression,
            "ci95": list(found.ci95),
            "p_worse": found.p_worse,
            "detectable_effect": found.detectable_effect,
        },
        questions=[
            {"question_id": one.question_id, "question": cut(one.question), "score": one.after, "before": one.before}
            for one in losses[:LISTED_QUESTIONS]
        ]
        if found.worse
        else [],
    )


def _regression_text(found: PairedDifference, metric: str, against: str) -> str:
    low, high = found.ci95
    figures = (
        f"{found.difference:+.3f} over {counted(found.n)}, 95 % interval {low:+.3f} to {high:+.3f}, "
        f"p = {found.p_worse:.2g}"
    )
    if found.worse:
        return f"{metric} is significantly lower than in {against}: {figures}"
    noticed = f"a true loss of {found.detectable_effect:.3f} would be noticed four times out of five"
    return f"{metric} is not significantly lower than in {against}: {figures}; {noticed}"


def ended_in_error(item: ItemResult) -> bool:
    """Whether a question or its judge met an error."""
    return item.error is not None or item.judged.startswith(JUDGE_FAILED)


def kept_from(item: ItemResult, metric: str) -> bool:
    """Whether an error kept a question from being scored by `metric`, so that its 0 says nothing about the release.

    A chat model that failed leaves the ranking as it was, and a judge that failed leaves everything but its verdict.
    """
    if item.error is None:
        return metric == "judge" and ended_in_error(item)
    return metric not in METRICS or not item.retrieved


def counted(questions: int) -> str:
    """`1 question`, `2 questions`."""
    return f"{questions:,} question{'' if questions == 1 else 's'}"


def cut(text: str) -> str:
    """`text` as far as a list has room for it."""
    return text if len(text) <= LISTED_TEXT_CHARACTERS else text[: LISTED_TEXT_CHARACTERS - 1] + "…"
