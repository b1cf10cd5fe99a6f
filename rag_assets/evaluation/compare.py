"""Two evaluations, question by question: only what both asked is compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rag_assets.config import EvaluationSettings
from rag_assets.evaluation.model import Evaluation, ItemResult
from rag_assets.evaluation.statistics import PairedDifference, paired_difference


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """A question whose score of a metric is another one than before."""

    question_id: str
    question: str
    before: float
    after: float

    @property
    def change(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Comparison:
    """Evaluation `b` against `a`: differences are b − a over the `common` questions, so above 0 means that b is higher.

    `metrics`: metric → difference, for the metrics that at least one common question has in both. Each p is of its
    metric alone, without a correction for how many there are. `losses` and `wins` are the questions whose
    `primary_metric` changed, the largest change first.
    """

    a: str
    b: str
    common: int
    only_a: int
    only_b: int
    primary_metric: str
    metrics: Mapping[str, PairedDifference]
    losses: tuple[ScoreChange, ...]
    wins: tuple[ScoreChange, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        values = asdict(self)
        values["metrics"] = {
            name: {**asdict(one), "ci95": list(one.ci95), "differs": one.differs} for name, one in self.metrics.items()
        }
        return values | {"losses": [asdict(one) for one in self.losses], "wins": [asdict(one) for one in self.wins]}


def compare(a: Evaluation, b: Evaluation, settings: EvaluationSettings) -> Comparison:
    """Compares `b` with `a` on every metric; equal input gives equal figures."""
    both = common_items(a, b)
    changes = score_changes(a, b, settings.primary_metric)
    return Comparison(
        a=a.evaluation_id,
        b=b.evaluation_id,
        common=len(both),
        only_a=len(_measured(a)) - len(both),
        only_b=len(_measured(b)) - len(both),
        primary_metric=settings.primary_metric,
        metrics=differences(a, b, settings),
        losses=tuple(one for one in changes if one.change < 0),
        wins=tuple(one for one in reversed(changes) if one.change > 0),
    )


def differences(a: Evaluation, b: Evaluation, settings: EvaluationSettings) -> dict[str, PairedDifference]:
    """Metric → b − a over the questions that have it in both, in the order of b's metrics."""
    both = common_items(a, b)
    names = dict.fromkeys([*b.metrics, *(name for _, after in both for name in after.scores)])
    found = {}
    for name in names:
        pairs = [(x.scores[name], y.scores[name]) for x, y in both if name in x.scores and name in y.scores]
        if pairs:
            found[name] = paired_difference(
                [after for _, after in pairs],
                [before for before, _ in pairs],
                samples=settings.bootstrap_samples,
                false_alarm_rate=settings.false_alarm_rate,
                margin=0.0,
            )
    return found


def common_items(a: Evaluation, b: Evaluation) -> list[tuple[ItemResult, ItemResult]]:
    """The results of the questions that both asked, by their whole content: an edited question is another one."""
    before = _measured(a)
    return [(before[key], item) for key, item in _measured(b).items() if key in before]


def score_changes(a: Evaluation, b: Evaluation, metric: str) -> list[ScoreChange]:
    """The questions whose `metric` changed from `a` to `b`, the largest loss first, the largest gain last."""
    changed = [
        ScoreChange(after.question_id, after.question, before.scores[metric], after.scores[metric])
        for before, after in common_items(a, b)
        if metric in before.scores and metric in after.scores and before.scores[metric] != after.scores[metric]
    ]
    return sorted(changed, key=lambda one: (one.change, one.question_id))


def _measured(evaluation: Evaluation) -> dict[str, ItemResult]:
    """Question hash → result, without the orphaned ones."""
    return {item.question_hash: item for item in evaluation.items if item.question_id not in evaluation.orphaned}
