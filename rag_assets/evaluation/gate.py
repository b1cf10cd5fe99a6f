"""The quality gate: minima, no significant regression, and no questions that lost their documents unnoticed.

How often it stops what is not worse is bounded by `false_alarm_rate`, over all its comparisons together: the rate is
divided evenly among the baselines (Bonferroni), and the share of one that was chosen for its figure among several is
divided by their number, for the best of many looks better than it is. `bench/gate_simulation.py` measures it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rag_assets.config import EvaluationSettings
from rag_assets.evaluation.model import Evaluation
from rag_assets.evaluation.rules import (
    LISTED_QUESTIONS,
    SERVING,
    Baseline,
    Rule,
    counted,
    cut,
    ended_in_error,
    minimum,
    orphans,
    regression,
)
from rag_assets.releasing import QUALITY, GateVerdict

__all__ = ["SERVING", "Baseline", "judge_quality"]


def judge_quality(
    evaluation: Evaluation,
    baselines: Sequence[Baseline],
    settings: EvaluationSettings,
    subject: str,
    *,
    skipped: Mapping[str, str] | None = None,
) -> GateVerdict:
    """Judges `evaluation` by `settings`; without any question it passes, and says that nothing was measured.

    `skipped`: the name of a baseline that is gone for good → which it was and why. That alone breaks no rule: where it
    is the serving release, that answers nobody any more either. The reason begins with it, and with the number of
    questions that ended in an error.

    The verdict's details are plain JSON values: `rules` in the order they are asked, each with `rule` ("orphaned",
    "minimum" or "regression"), `passed`, `text`, `value`, `limit`, `n` and the `questions` that broke it; `questions`,
    the ids of those; `detectable_effect`, the largest over the comparisons; `against`, the baselines' release ids;
    `warnings` and `errors`. Nothing is listed more than ten times. Equal input gives equal details.
    """
    if not evaluation.items and not evaluation.orphaned:
        reason = _nothing_measured(settings)
        return GateVerdict(QUALITY, subject, True, reason, _details(evaluation, [], [], settings, [reason]))
    rules = [orphans(evaluation, settings)]
    rules += [minimum(evaluation, metric, least) for metric, least in sorted(settings.minima.items())]
    distinct = list({one.release_id: one for one in reversed(baselines)}.values())[::-1]
    rules += [regression(evaluation, one, settings, len(distinct)) for one in distinct]
    unasked = {name: f"not compared with {name} {why}" for name, why in (skipped or {}).items()}
    warnings = [*unasked.values(), *_warnings(evaluation, rules, settings)]
    broken = [rule.text for rule in rules if not rule.passed]
    said = [
        _errors(evaluation),
        unasked.get(SERVING, "").rstrip("."),
        *(broken or [_passing(evaluation, rules, settings, bool(skipped))]),
    ]
    return GateVerdict(
        gate=QUALITY,
        subject=subject,
        passed=not broken,
        reason="; ".join(text for text in said if text),
        details=_details(evaluation, distinct, rules, settings, warnings),
    )


def _nothing_measured(settings: EvaluationSettings) -> str:
    """A handful of questions may all hash into the other splits: that stops nobody, and must not look like a pass."""
    nothing = "no golden question is in the split gate: nothing was measured"
    if not settings.minima:
        return nothing
    minima = ", ".join(f"{metric} {least:.3f}" for metric, least in sorted(settings.minima.items()))
    return f"{nothing}, and whether the minima ({minima}) are reached is unknown"


def _errors(evaluation: Evaluation) -> str:
    """How many questions ended in an error; empty where none did."""
    errors = sum(map(ended_in_error, evaluation.items))
    return f"{errors:,} of {counted(len(evaluation.items))} ended in an error" if errors else ""


def _warnings(evaluation: Evaluation, rules: Sequence[Rule], settings: EvaluationSettings) -> list[str]:
    warnings = []
    metric = evaluation.metrics.get(settings.primary_metric)
    n = metric.n if metric else 0
    if n < settings.questions_enough:
        warnings.append(
            f"{settings.primary_metric} is measured by {counted(n)} only; with fewer than "
            f"{settings.questions_enough} the figures tell little"
        )
    for rule in rules:
        if rule.rule != "regression":
            continue
        if rule.values["left_out"]:
            warnings.append(
                f"left out of the comparison with {rule.values['name']} {rule.values['against']}, where an error kept "
                f"them from being measured: {counted(rule.values['left_out'])}"
            )
        if not rule.values["n"]:
            warnings.append(rule.text)
        elif rule.values["n"] < settings.questions_enough:
            warnings.append(
                f"{rule.values['name']} {rule.values['against']} is compared by {counted(rule.values['n'])} only: a "
                f"loss below {rule.values['detectable_effect']:.3f} can go unnoticed"
            )
    if evaluation.orphaned:
        warnings.append(f"left out, for their expected documents are gone: {counted(len(evaluation.orphaned))}")
    if errors := _errors(evaluation):
        warnings.append(f"{errors}, and what it kept from being measured counts as 0")
    return warnings


def _passing(evaluation: Evaluation, rules: Sequence[Rule], settings: EvaluationSettings, skipped: bool) -> str:
    metric = evaluation.metrics.get(settings.primary_metric)
    if metric is None or metric.value is None:
        return f"no question measures {settings.primary_metric}"
    figure = f"{settings.primary_metric} is {metric.value:.3f} over {counted(metric.n)}"
    compared = [rule.values for rule in rules if "detectable_effect" in rule.values]
    if compared:
        held = " and ".join(f"{one['name']} {one['against']} ({one['value']:+.3f})" for one in compared)
        effect = max(one["detectable_effect"] for one in compared)
        noticed = f"a true loss of {effect:.3f} would be noticed four times out of five"
        return f"{figure}, not significantly lower than in {held}; {noticed}"
    minima = "every minimum is reached" if settings.minima else "no minimum is configured"
    against = [] if skipped else ["nothing to compare with"]
    return "; ".join([figure, minima, *against])


def _details(
    evaluation: Evaluation,
    baselines: Sequence[Baseline],
    rules: Sequence[Rule],
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
            {"question_id": item.question_id, "question": cut(item.question), "error": cut(item.error or item.judged)}
            for item in evaluation.items
            if ended_in_error(item)
        ][:LISTED_QUESTIONS],
        "warnings": list(warnings),
    }
