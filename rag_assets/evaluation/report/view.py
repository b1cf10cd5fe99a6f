"""Everything a report shows, as plain values: what the HTML and the Markdown are both made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rag_assets.config import EvaluationSettings
from rag_assets.evaluation.changes import Changes
from rag_assets.evaluation.gate import Baseline
from rag_assets.evaluation.model import Evaluation, GoldenQuestion
from rag_assets.evaluation.report import figures, plots
from rag_assets.evaluation.report.tables import (
    Groups,
    HistoryRow,
    MetricRow,
    groups,
    history_rows,
    measured,
    metric_rows,
)
from rag_assets.evaluation.report.worst import BadQuestion, Hidden, worst_questions
from rag_assets.ledger import EvaluationRow
from rag_assets.releasing import GateVerdict, ReleaseContent

WORST_QUESTIONS = 15
LISTED = 50
HISTORY_METRICS = 3


@dataclass(frozen=True)
class View:
    """One report. Texts are as they came: whoever renders them escapes them."""

    release_id: str
    snapshot_id: str
    created: str
    passed: bool
    reason: str
    rules: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...]
    questions: int
    orphaned: tuple[tuple[str, str], ...]
    more_orphaned: int
    errors: tuple[tuple[str, str, str], ...]
    more_errors: int
    baselines: tuple[tuple[str, str], ...]
    primary: str
    metrics: tuple[MetricRow, ...]
    metrics_plot: str
    history: tuple[HistoryRow, ...]
    history_plot: str
    questions_changed: bool
    changes: Changes
    by_source: Groups | None
    by_tag: Groups | None
    worst: tuple[BadQuestion, ...]
    provenance: tuple[tuple[str, str], ...]
    samples: int


def view_of(
    evaluation: Evaluation,
    *,
    content: ReleaseContent,
    verdict: GateVerdict,
    baselines: Sequence[Baseline],
    changes: Changes,
    history: Sequence[EvaluationRow] = (),
    questions: Sequence[GoldenQuestion] = (),
    skipped: Mapping[str, str] | None = None,
    worst: int = WORST_QUESTIONS,
    hidden: Hidden = lambda source, uri: False,
) -> View:
    """Gathers a report. Minima, primary metric and the number of resamples are those of `verdict`."""
    settings = _settings_of(verdict)
    minima = {
        str(rule["metric"]): float(rule["limit"]) for rule in verdict.details["rules"] if rule["rule"] == "minimum"
    }
    failed = [(item.question_id, item.question, item.error) for item in evaluation.items if item.error]
    orphaned = sorted(evaluation.orphaned.items())
    row = next((one for one in history if one.evaluation_id == evaluation.evaluation_id), None)
    created = row.created_at if row else datetime.now(UTC)
    primary = settings.primary_metric
    return View(
        release_id=evaluation.release_id,
        snapshot_id=evaluation.snapshot_id,
        created=f"{created:%Y-%m-%d %H:%M} UTC",
        passed=verdict.passed,
        reason=verdict.reason,
        rules=tuple(verdict.details["rules"]),
        warnings=tuple(
            dict.fromkeys(
                (
                    *verdict.details["warnings"],
                    *(f"not compared with {name} {why}" for name, why in (skipped or {}).items()),
                )
            )
        ),
        questions=len(evaluation.items),
        orphaned=tuple(orphaned[:LISTED]),
        more_orphaned=max(0, len(orphaned) - LISTED),
        errors=tuple(failed[:LISTED]),
        more_errors=max(0, len(failed) - LISTED),
        baselines=tuple((one.name, one.release_id) for one in baselines),
        primary=figures.label_of(primary).label,
        metrics=tuple(metric_rows(evaluation, baselines, minima, settings)),
        metrics_plot=_metrics_plot(evaluation, baselines, minima),
        history=tuple(history_rows(history, evaluation, primary)),
        history_plot=_history_plot(history, [primary, *minima]),
        questions_changed=len({one.questions_version for one in history}) > 1,
        changes=changes,
        by_source=groups(evaluation.by_source, primary=primary),
        by_tag=groups(evaluation.by_tag, primary=primary),
        worst=tuple(
            worst_questions(evaluation, questions, baselines[0] if baselines else None, primary, worst, hidden)
        ),
        provenance=tuple(_provenance(evaluation, content)),
        samples=settings.bootstrap_samples,
    )


def _settings_of(verdict: GateVerdict) -> EvaluationSettings:
    details = verdict.details
    return EvaluationSettings(primary_metric=details["primary_metric"], bootstrap_samples=details["bootstrap_samples"])


def _metrics_plot(evaluation: Evaluation, baselines: Sequence[Baseline], minima: Mapping[str, float]) -> str:
    """The metrics between 0 and 1, against the first baseline; empty without any."""
    before = baselines[0].evaluation.metrics if baselines else {}
    bars = []
    for name, label in figures.LABELS.items():
        metric = evaluation.metrics.get(name)
        if metric is None or metric.value is None or label.unit != "share":
            continue
        earlier = before.get(name)
        bars.append(
            plots.Bar(label.label, metric.value, metric.ci95, earlier.value if earlier else None, minima.get(name))
        )
    said = f"{baselines[0].name} {baselines[0].release_id[:7]}" if baselines else ""
    return plots.metrics_plot(bars, baseline=said) if bars else ""


def _history_plot(history: Sequence[EvaluationRow], wanted: Sequence[str]) -> str:
    """The primary metric, the other guarded ones and two usual ones over the releases; empty for a single one."""
    if len(history) < 2:
        return ""
    points = []
    for row in history:
        values = {name: measured(row, name) for name in figures.LABELS}
        known = {name: (value, ci95) for name, (value, ci95) in values.items() if value is not None}
        points.append(plots.Point(f"{row.created_at:%d %b}", row.release_id, known))
    names = [
        name
        for name in dict.fromkeys([*wanted, "recall_at_5", "answer_contains"])
        if figures.label_of(name).unit == "share" and any(name in point.values for point in points)
    ][:HISTORY_METRICS]
    return plots.history_plot(points, [(name, figures.label_of(name).label) for name in names]) if names else ""


def _provenance(evaluation: Evaluation, content: ReleaseContent) -> list[tuple[str, str]]:
    snapshot = content.snapshot
    return [
        ("Evaluation", evaluation.evaluation_id),
        ("Release content", evaluation.release_id),
        ("Measured as", evaluation.measured_id),
        ("Snapshot", f"{snapshot.snapshot_id}, table {snapshot.table} at version {snapshot.version}"),
        ("Generation", snapshot.generation),
        ("Parsers", str(snapshot.details.get("parsers", "–"))),
        ("Chunker", str(snapshot.details.get("chunker", "–"))),
        ("Embedding model", f"{content.embedding.model} ({snapshot.space})"),
        ("Chat model", f"{content.chat.model} of {content.chat.provider}"),
        ("Prompts", content.prompts.fingerprint),
        ("Questions", f"{evaluation.questions_version}, {len(evaluation.items)} asked"),
        ("Asked before", f"{evaluation.reused_items} results were reused"),
    ]
