"""What a comparison found, as plain values for the ledger, the asset, the command line and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rag_assets.config import Settings
from rag_assets.evaluation.compare import common_items, score_changes
from rag_assets.evaluation.model import Evaluation, GoldenQuestion, ItemResult
from rag_assets.evaluation.report.figures import label_of
from rag_assets.evaluation.report.worst import NOT_SHOWN, Hidden, tells_hidden
from rag_assets.evaluation.rules import ended_in_error
from rag_assets.evaluation.statistics import TOLERANCE
from rag_assets.evaluation.summary import COST, PERCENTILES
from rag_assets.ledger import Outcome
from rag_assets.tuning.decision import SEED, as_values, decide, mcnemar, paired_gain

LISTED = 10
"""So many of the largest wins and losses, and of the errors, are shown in full."""
TEXT_CHARACTERS = 1_200
BESIDE = (*PERCENTILES, COST)
"""Figures over whole evaluations, which no question has by itself."""
Pairs = list[tuple[ItemResult, ItemResult]]


def details_of(
    champion: Evaluation,
    challenger: Evaluation,
    questions: Sequence[GoldenQuestion],
    settings: Settings,
    *,
    hidden: Hidden = lambda source, uri: False,
) -> tuple[Outcome, dict[str, Any]]:
    """The decision, and everything behind it. A question that ended in an error has failed, whoever was asked.

    `pairs` has, for each question with the primary metric, its id and both scores, so that every figure can be computed
    again; `lower` names what a winner is worse in; `hidden` documents are quoted nowhere.
    """
    rules, judge = settings.tuning.comparison, settings.evaluation.judge
    both = common_items(champion, challenger)
    scored = _scores(both, rules.primary_metric)
    gain = _gain(scored, settings) if scored else None
    outcome, reason = decide(gain, rules, left_out=len(champion.orphaned))
    metrics = _metrics(both, settings)
    lower = _lower(metrics, rules.primary_metric)
    if outcome == "challenger" and lower:
        reason = f"{reason}. Lower with it, which decides nothing: {'; '.join(lower)}"
    changes = score_changes(champion, challenger, rules.primary_metric)
    asked = {question.question_hash: question for question in questions}
    named = {after.question_id: (before, after) for before, after in both}

    def shown(question_id: str) -> dict[str, Any]:
        before, after = named[question_id]
        question = asked.get(after.question_hash)
        return {
            "question_id": question_id,
            "question": _cut(after.question),
            "accepted": [_cut(one) for one in question.answers] if question else [],
            "champion": _answered(before, rules.primary_metric, hidden),
            "challenger": _answered(after, rules.primary_metric, hidden),
        }

    losses = [one.question_id for one in changes if one.change < 0]
    wins = [one.question_id for one in reversed(changes) if one.change > 0]
    return outcome, {
        "reason": reason,
        "primary_metric": rules.primary_metric,
        "rules": rules.model_dump(mode="json") | {"seed": SEED},
        "judge": judge.model if judge else None,
        "primary": as_values(gain) if gain else None,
        "questions": len(both),
        "orphaned": len(champion.orphaned),
        "champion": _side(champion),
        "challenger": _side(challenger),
        "metrics": metrics,
        "lower": lower,
        "mcnemar": _mcnemar(both),
        "by_source": _by_source(both, settings),
        "wins": len(wins),
        "losses": len(losses),
        "largest_wins": [shown(one) for one in wins[:LISTED]],
        "largest_losses": [shown(one) for one in losses[:LISTED]],
        "pairs": [[pair[1].question_id, *scores] for pair in both for scores in _scores([pair], rules.primary_metric)],
    }


def _scores(both: Pairs, metric: str) -> list[tuple[float, float]]:
    """(champion, challenger) for every question that has `metric` with both."""
    return [
        (old.scores[metric], new.scores[metric]) for old, new in both if metric in old.scores and metric in new.scores
    ]


def _gain(scored: Sequence[tuple[float, float]], settings: Settings) -> Any:
    rules = settings.tuning.comparison
    champion, challenger = zip(*scored, strict=True)
    return paired_gain(challenger, champion, samples=rules.bootstrap_samples, confidence=rules.confidence)


def _metrics(both: Pairs, settings: Settings) -> dict[str, Any]:
    names = dict.fromkeys(name for _, new in both for name in new.scores)
    measured = {name: scored for name in sorted(names) if (scored := _scores(both, name))}
    return {name: as_values(_gain(scored, settings)) for name, scored in measured.items()}


def _lower(metrics: Mapping[str, Any], primary: str) -> list[str]:
    """What the challenger is worse in beside the primary metric: where the whole 95 % interval is below 0."""
    return [
        f"{name} {one['challenger']:.3f} after {one['champion']:.3f} over {one['n']:,} questions"
        for name, one in metrics.items()
        if name != primary and label_of(name).higher_is_better and one["ci95"][1] < -TOLERANCE
    ]


def _mcnemar(both: Pairs) -> dict[str, Any]:
    """Of every metric whose scores are yes or no."""
    names = sorted({name for _, new in both for name in new.scores})
    found = {name: mcnemar(_scores(both, name)) for name in names}
    return {name: values for name, values in found.items() if values is not None}


def _by_source(both: Pairs, settings: Settings) -> dict[str, Any]:
    """Source → the primary metric over the questions whose expected documents are there."""
    metric = settings.tuning.comparison.primary_metric
    sources = sorted({source for _, new in both for source in new.sources})
    members = {source: _scores([pair for pair in both if source in pair[1].sources], metric) for source in sources}
    return {source: as_values(_gain(scored, settings)) for source, scored in members.items() if scored}


def _side(evaluation: Evaluation) -> dict[str, Any]:
    """One model: errors, what all its answers cost, and how long they took."""
    failed = [item for item in evaluation.items if ended_in_error(item)]
    answered = [item for item in evaluation.items if item.error is None]
    known = [item.cost_usd for item in answered if item.cost_usd is not None]
    return {
        "measured_id": evaluation.measured_id,
        "errors": len(failed),
        "failed": [
            {"question_id": one.question_id, "question": _cut(one.question), "error": _cut(one.error or one.judged)}
            for one in failed[:LISTED]
        ],
        "refused": sum(item.refused for item in evaluation.items),
        "cost_usd": sum(known) if len(known) == len(answered) else None,
        **{name: _beside(evaluation, name) for name in BESIDE},
    }


def _beside(evaluation: Evaluation, name: str) -> Mapping[str, Any] | None:
    metric = evaluation.metrics.get(name)
    return metric.to_dict() if metric is not None and metric.value is not None else None


def _answered(item: ItemResult, metric: str, hidden: Hidden) -> dict[str, Any]:
    return {
        "score": item.scores.get(metric),
        "answer": NOT_SHOWN if tells_hidden(item, hidden) else _cut(item.answer),
        "refused": item.refused,
        "error": item.error,
        "judged": _cut(item.judged),
    }


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARACTERS else f"{text[: TEXT_CHARACTERS - 1]}…"
