"""The quality gate: minima, no significant regression, and no questions that lost their documents unnoticed.

How often it stops what is not worse is bounded by `false_alarm_rate`, over all its comparisons together: the rate is
divided evenly among the baselines (Bonferroni), and the share of one that was chosen for its figure among several is
divided by their number, for the best of many looks better than it is. `bench/gate_simulation.py` measures it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rag_assets.config import EvaluationSettings
from rag_assets.evaluation.compare import common_items, score_changes
from rag_assets.evaluation.model import Evaluation
from rag_assets.evaluation.statistics import PairedDifference, paired_difference
from rag_assets.releasing import QUALITY, GateVerdict

LISTED_QUESTIONS = 10
LISTED_TEXT_CHARACTERS = 200


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
class _Rule:
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


def judge_quality(
    evaluation: Evaluation, baselines: Sequence[Baseline], settings: EvaluationSettings, subject: str
) -> GateVerdict:
    """Judges `evaluation` by `settings`; without any question it passes, and says that nothing was measured.

    The verdict's details are plain JSON values: `rules` in the order they are asked, each with `rule` ("orphaned",
    "minimum" or "regression"), `passed`, `text`, `value`, `limit`, `n` and the `questions` that broke it; `questions`,
    the ids of those; `detectable_effect`, the largest over the comparisons; `against`, the baselines' release ids;
    `warnings` and `errors`. Nothing is listed more than ten times. Equal input gives equal details.
    """
    if not evaluation.items and not evaluation.orphaned:
        reason = "no golden questions: nothing was measured"
        return GateVerdict(QUALITY, subject, True, reason, _details(evaluation, [], [], settings, [reason]))
    rules = [_orphans(evaluation, settings)]
    rules += [_minimum(evaluation, metric, least) for metric, least in sorted(settings.minima.items())]
    distinct = list({one.release_id: one for one in reversed(baselines)}.values())[::-1]
    rules += [_regression(evaluation, one, settings, len(distinct)) for one in distinct]
    warnings = _warnings(evaluation, rules, settings)
    broken = [rule.text for rule in rules if not rule.passed]
    return GateVerdict(
        gate=QUALITY,
        subject=subject,
        passed=not broken,
        reason="; ".join(broken) or _passing(evaluation, rules, settings),
        details=_details(evaluation, distinct, rules, settings, warnings),
    )


def _orphans(evaluation: Evaluation, settings: EvaluationSettings) -> _Rule:
    total = len({item.question_id for item in evaluation.items} | evaluation.orphaned.keys())
    fraction = len(evaluation.orphaned) / total
    passed = fraction <= settings.max_orphaned_fraction
    return _Rule(
        rule="orphaned",
        passed=passed,
        text=f"{len(evaluation.orphaned)} of {_counted(total)} lost their expected documents; at most "
        f"{settings.max_orphaned_fraction:.0%} may",
        values={"value": fraction, "limit": settings.max_orphaned_fraction, "n": total},
        questions=[]
        if passed
        else [{"question_id": key, "question": _cut(why)} for key, why in sorted(evaluation.orphaned.items())],
    )


def _minimum(evaluation: Evaluation, metric: str, least: float) -> _Rule:
    measured = evaluation.metrics.get(metric)
    values = {"metric": metric, "value": measured.value if measured else None, "limit": least}
    if measured is None or measured.value is None:
        text = f"{metric} must reach {least:.3f}, and no question measures it"
        return _Rule("minimum", False, text, values | {"n": 0}, [])
    passed = measured.value >= least
    failing = sorted(
        (item for item in evaluation.items if metric in item.scores and item.question_id not in evaluation.orphaned),
        key=lambda item: (item.scores[metric], item.question_id),
    )
    return _Rule(
        rule="minimum",
        passed=passed,
        text=f"{metric} is {measured.value:.3f}, {'at least' if passed else 'below'} its minimum {least:.3f}",
        values=values | {"n": measured.n},
        questions=[]
        if passed
        else [
            {"question_id": item.question_id, "question": _cut(item.question), "score": item.scores[metric]}
            for item in failing[:LISTED_QUESTIONS]
            if item.scores[metric] < 1
        ],
    )


def _regression(evaluation: Evaluation, baseline: Baseline, settings: EvaluationSettings, baselines: int) -> _Rule:
    metric = settings.primary_metric
    against = f"{baseline.name} {baseline.release_id}"
    rate = settings.false_alarm_rate / baselines / baseline.chosen_from
    values = {"metric": metric, "against": baseline.release_id, "name": baseline.name, "false_alarm_rate": rate}
    pairs = [
        (before.scores[metric], after.scores[metric])
        for before, after in common_items(baseline.evaluation, evaluation)
        if metric in before.scores and metric in after.scores
    ]
    if not pairs:
        text = f"no question measures {metric} both here and in {against}"
        return _Rule("regression", True, text, values | {"n": 0}, [])
    found = paired_difference(
        [after for _, after in pairs],
        [before for before, _ in pairs],
        samples=settings.bootstrap_samples,
        false_alarm_rate=rate,
        margin=settings.max_regression,
    )
    losses = [one for one in score_changes(baseline.evaluation, evaluation, metric) if one.change < 0]
    return _Rule(
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
            {"question_id": one.question_id, "question": _cut(one.question), "score": one.after, "before": one.before}
            for one in losses[:LISTED_QUESTIONS]
        ]
        if found.worse
        else [],
    )


def _regression_text(found: PairedDifference, metric: str, against: str) -> str:
    low, high = found.ci95
    figures = (
        f"{found.difference:+.3f} over {_counted(found.n)}, 95 % interval {low:+.3f} to {high:+.3f}, "
        f"p = {found.p_worse:.2g}"
    )
    if found.worse:
        return f"{metric} is significantly lower than in {against}: {figures}"
    noticed = f"a true loss of {found.detectable_effect:.3f} would be noticed four times out of five"
    return f"{metric} is not significantly lower than in {against}: {figures}; {noticed}"


def _warnings(evaluation: Evaluation, rules: Sequence[_Rule], settings: EvaluationSettings) -> list[str]:
    warnings = []
    metric = evaluation.metrics.get(settings.primary_metric)
    n = metric.n if metric else 0
    if n < settings.questions_enough:
        warnings.append(
            f"{settings.primary_metric} is measured by {_counted(n)} only; with fewer than "
            f"{settings.questions_enough} the figures tell little"
        )
    for rule in rules:
        if rule.rule != "regression":
            continue
        if not rule.values["n"]:
            warnings.append(rule.text)
        elif rule.values["n"] < settings.questions_enough:
            warnings.append(
                f"{rule.values['name']} {rule.values['against']} is compared by {_counted(rule.values['n'])} only: a "
                f"loss below {rule.values['detectable_effect']:.3f} can go unnoticed"
            )
    if evaluation.orphaned:
        warnings.append(f"left out, for their expected documents are gone: {_counted(len(evaluation.orphaned))}")
    errors = sum(1 for item in evaluation.items if item.error)
    if errors:
        warnings.append(f"ended in an error and counted as 0: {_counted(errors)}")
    return warnings


def _passing(evaluation: Evaluation, rules: Sequence[_Rule], settings: EvaluationSettings) -> str:
    metric = evaluation.metrics.get(settings.primary_metric)
    if metric is None or metric.value is None:
        return f"no question measures {settings.primary_metric}"
    figure = f"{settings.primary_metric} is {metric.value:.3f} over {_counted(metric.n)}"
    compared = [rule.values for rule in rules if "detectable_effect" in rule.values]
    if compared:
        held = " and ".join(f"{one['name']} {one['against']} ({one['value']:+.3f})" for one in compared)
        effect = max(one["detectable_effect"] for one in compared)
        noticed = f"a true loss of {effect:.3f} would be noticed four times out of five"
        return f"{figure}, not significantly lower than in {held}; {noticed}"
    minima = "every minimum is reached" if settings.minima else "no minimum is configured"
    return f"{figure}; {minima}; nothing to compare with"


def _details(
    evaluation: Evaluation,
    baselines: Sequence[Baseline],
    rules: Sequence[_Rule],
    settings: EvaluationSettings,
    warnings: Sequence[str],
) -> dict[str, Any]:
    metric = evaluation.metrics.get(settings.primary_metric)
    effects = [rule.values["detectable_effect"] for rule in rules if "detectable_effect" in rule.values]
    broke = [question["question_id"] for rule in rules if not rule.passed for question in rule.questions]
    return {
        "primary_metric": settings.primary_metric,
        "bootstrap_samples": settings.bootstrap_samples,
        "value": metric.value if metric else None,
        "n": metric.n if metric else 0,
        "against": [one.release_id for one in baselines],
        "detectable_effect": max(effects, default=None),
        "rules": [rule.to_dict() for rule in rules],
        "questions": list(dict.fromkeys(broke))[:LISTED_QUESTIONS],
        "errors": [
            {"question_id": item.question_id, "question": _cut(item.question), "error": _cut(item.error)}
            for item in evaluation.items
            if item.error
        ][:LISTED_QUESTIONS],
        "warnings": list(warnings),
    }


def _counted(questions: int) -> str:
    return f"{questions:,} question{'' if questions == 1 else 's'}"


def _cut(text: str) -> str:
    return text if len(text) <= LISTED_TEXT_CHARACTERS else text[: LISTED_TEXT_CHARACTERS - 1] + "…"
