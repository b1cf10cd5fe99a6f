"""The report's tables of figures: metrics against the baselines, per source and per tag, and over the releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag_assets.config import EvaluationSettings
from rag_assets.evaluation.compare import differences
from rag_assets.evaluation.gate import Baseline
from rag_assets.evaluation.model import Evaluation, Metric
from rag_assets.evaluation.report import figures
from rag_assets.evaluation.statistics import PairedDifference
from rag_assets.ledger import EvaluationRow

GROUP_COLUMNS = 6
HISTORY_ROWS = 12


@dataclass(frozen=True, slots=True)
class Against:
    """A metric in one baseline, and the paired difference to it. `tone`: "good" or "bad" where it is significant.

    `interval` also says over how many questions, where fewer than the baseline's are in both.
    """

    value: str
    difference: str
    interval: str
    arrow: str
    tone: str


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One line of the table of metrics. `short`: it is below its minimum."""

    label: str
    hint: str
    value: str
    interval: str
    n: int
    minimum: str
    short: bool
    primary: bool
    against: tuple[Against, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure of a group. `percent` is its share of 1 for a bar; None where it is no share."""

    value: str
    interval: str
    percent: float | None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One source or tag."""

    name: str
    n: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Groups:
    """A table over sources or tags; `columns` are labels of metrics."""

    columns: tuple[str, ...]
    rows: tuple[GroupRow, ...]


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One earlier evaluation. `passed` is None where nothing says so; `here` marks the one that is reported."""

    when: str
    release_id: str
    questions: int
    value: str
    interval: str
    passed: bool | None
    here: bool


def metric_rows(
    evaluation: Evaluation,
    baselines: Sequence[Baseline],
    minima: Mapping[str, float],
    settings: EvaluationSettings,
) -> list[MetricRow]:
    """Every metric that has a value, the known ones in their usual order; a minimum without a value is shown too."""
    paired = [differences(one.evaluation, evaluation, settings) for one in baselines]
    known = {name: metric for name, metric in evaluation.metrics.items() if metric.value is not None}
    names = [name for name in figures.LABELS if name in known or name in minima]
    names += sorted(known.keys() - figures.LABELS.keys())
    rows = []
    for name in names:
        metric = known.get(name, Metric(None, None, 0))
        least = minima.get(name)
        rows.append(
            MetricRow(
                label=figures.label_of(name).label,
                hint=figures.label_of(name).hint,
                value=figures.figure(name, metric.value),
                interval=figures.interval(name, metric.ci95),
                n=metric.n,
                minimum="" if least is None else figures.figure(name, least),
                short=least is not None and (metric.value is None or metric.value < least),
                primary=name == settings.primary_metric,
                against=tuple(
                    _against(name, one.evaluation.metrics.get(name), found.get(name))
                    for one, found in zip(baselines, paired, strict=True)
                ),
            )
        )
    return rows


def _against(name: str, metric: Metric | None, found: PairedDifference | None) -> Against:
    value = figures.figure(name, metric.value if metric else None)
    if found is None:
        return Against(value, "", "", "", "")
    low, high = (figures.difference(name, one) for one in found.ci95)
    shown = f"{low} to {high}" + (f", n = {found.n}" if metric is None or found.n < metric.n else "")
    arrow = ("▲" if found.difference > 0 else "▼") if found.differs else ""
    better = figures.label_of(name).higher_is_better
    tone = "" if not arrow or better is None else "good" if (found.difference > 0) == better else "bad"
    return Against(value, figures.difference(name, found.difference), shown, arrow, tone)


def groups(by: Mapping[str, Mapping[str, Metric]], *, primary: str) -> Groups | None:
    """A table over the groups, the primary metric first; None without groups."""
    names = [
        name
        for name in dict.fromkeys([primary, *figures.GROUP_METRICS])
        if any(metrics.get(name) and metrics[name].value is not None for metrics in by.values())
    ][:GROUP_COLUMNS]
    if not by or not names:
        return None
    rows = []
    for group, metrics in sorted(by.items()):
        cells = [metrics.get(name) or Metric(None, None, 0) for name in names]
        rows.append(
            GroupRow(
                name=group,
                n=max((metric.n for metric in metrics.values()), default=0),
                cells=tuple(
                    Cell(
                        figures.figure(name, metric.value),
                        figures.interval(name, metric.ci95),
                        None if metric.value is None else round(100 * min(1.0, max(0.0, metric.value)), 1),
                    )
                    for name, metric in zip(names, cells, strict=True)
                ),
            )
        )
    return Groups(tuple(figures.label_of(name).label for name in names), tuple(rows))


def history_rows(history: Sequence[EvaluationRow], evaluation: Evaluation, metric: str) -> list[HistoryRow]:
    """The newest evaluations of `history` (oldest first), newest first."""
    rows = []
    for row in list(history)[-HISTORY_ROWS:][::-1]:
        value, ci95 = measured(row, metric)
        rows.append(
            HistoryRow(
                when=f"{row.created_at:%Y-%m-%d %H:%M}",
                release_id=row.release_id,
                questions=row.questions,
                value=figures.figure(metric, value),
                interval=figures.interval(metric, ci95),
                passed=row.details.get("passed"),
                here=row.evaluation_id == evaluation.evaluation_id,
            )
        )
    return rows


def measured(row: EvaluationRow, metric: str) -> tuple[float | None, tuple[float, float] | None]:
    """A recorded metric: its value and its interval."""
    found = row.metrics.get(metric) or {}
    ci95 = found.get("ci95")
    return found.get("value"), (ci95[0], ci95[1]) if ci95 else None
