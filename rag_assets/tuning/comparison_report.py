"""The report of a comparison: one HTML page beside the reports of evaluations, from what the ledger has of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag_assets.evaluation.report import figures, write_index
from rag_assets.evaluation.report.write import HTML_FILE, render_html, write_at_once
from rag_assets.evaluation.review import reports_folder
from rag_assets.evaluation.summary import COST
from rag_assets.ledger import ComparisonRow, ModelDecision, TunedModel
from rag_assets.tuning.comparison_details import BESIDE
from rag_assets.tuning.comparison_plot import Row, differences_plot

if TYPE_CHECKING:
    from rag_assets.project import Project


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One line of a table of both models: a metric, or the primary metric in one source."""

    label: str
    hint: str
    n: int
    champion: str
    challenger: str
    difference: str
    interval: str
    primary: bool = False
    only_champion: str = "–"
    only_challenger: str = "–"
    p: str = "–"


@dataclass(frozen=True, slots=True)
class View:
    """Everything the page shows. Texts are as they came: the template escapes them."""

    champion: str
    challenger: str
    decision: str
    reason: str
    decided: str
    when: str
    questions: int
    snapshot_id: str
    warnings: tuple[str, ...]
    metrics: tuple[FigureRow, ...]
    plot: str
    beside: tuple[tuple[str, str, str], ...]
    sources: tuple[FigureRow, ...]
    curves: str
    wins: tuple[Mapping[str, Any], ...]
    wins_total: int
    losses: tuple[Mapping[str, Any], ...]
    losses_total: int
    provenance: tuple[tuple[str, str], ...]
    method: str


def report_path(project: Project, row: ComparisonRow) -> Path:
    """Where the report of a comparison is, once it was written."""
    return reports_folder(project) / f"comparison-{row.comparison_id}" / HTML_FILE


def write_comparison_report(project: Project, row: ComparisonRow, model: TunedModel, decision: ModelDecision) -> Path:
    """Writes the report of a finished comparison and lists it on the page of all reports. Raises `ReportError`."""
    path = report_path(project, row)
    view = _view(row, model, decision, _curves(project, model))
    write_at_once(path, render_html("comparison.html", view=view))
    project.ledger.set_comparison_report(row.comparison_id, path.parent.name)
    write_index(reports_folder(project), project.ledger.evaluations(), project.ledger.comparisons())
    return path


def _view(row: ComparisonRow, model: TunedModel, decision: ModelDecision, curves: str) -> View:
    details = row.details
    primary = details["primary_metric"]
    return View(
        champion=row.champion,
        challenger=row.challenger,
        decision=decision.decision,
        reason=details["reason"],
        decided=_decided(decision, details["reason"]),
        when=f"{row.started_at:%Y-%m-%d %H:%M} UTC",
        questions=details["questions"],
        snapshot_id=row.snapshot_id,
        warnings=tuple(_warnings(details)),
        metrics=tuple(_metric_rows(details, primary)),
        plot=_plot(details, primary),
        beside=tuple(_beside(details)),
        sources=tuple(_row(name, "", primary, values) for name, values in details["by_source"].items()),
        curves=curves,
        wins=tuple(_case(one, primary) for one in details["largest_wins"]),
        wins_total=details["wins"],
        losses=tuple(_case(one, primary) for one in details["largest_losses"]),
        losses_total=details["losses"],
        provenance=tuple(_provenance(row, model)),
        method=_method(details),
    )


def _decided(decision: ModelDecision, reason: str) -> str:
    """What followed, where that is more than the comparison says itself."""
    said = "" if decision.reason == reason else f": {decision.reason}"
    release = f" Release {decision.release_id} has it." if decision.release_id else ""
    forced = ", against the gates" if decision.forced else ""
    return f"{decision.decision.capitalize().replace('_', ' ')} by {decision.decided_by}{forced}{said}.{release}"


def _warnings(details: Mapping[str, Any]) -> list[str]:
    found = []
    for side in ("champion", "challenger"):
        if errors := details[side]["errors"]:
            listed = "; ".join(f"{one['question_id']}: {one['error']}" for one in details[side]["failed"])
            found.append(f"{errors} questions to the {side} ended in an error and count as failed. {listed}")
    if lower := details.get("lower"):
        found.append(f"Lower with the challenger by more than chance: {'; '.join(lower)}.")
    if details["orphaned"]:
        found.append(f"{details['orphaned']} questions were left out, for their expected documents are gone.")
    return found


def _metric_rows(details: Mapping[str, Any], primary: str) -> list[FigureRow]:
    usual = [primary, *figures.LABELS]
    known = sorted(details["metrics"], key=lambda name: (usual.index(name) if name in usual else len(usual), name))
    return [
        _row(
            figures.label_of(name).label,
            figures.label_of(name).hint,
            name,
            details["metrics"][name],
            details["mcnemar"].get(name),
            primary=name == primary,
        )
        for name in known
    ]


def _row(
    label: str,
    hint: str,
    metric: str,
    values: Mapping[str, Any],
    test: Mapping[str, Any] | None = None,
    *,
    primary: bool = False,
) -> FigureRow:
    low, high = (figures.difference(metric, end) for end in values["ci95"])
    return FigureRow(
        label=label,
        hint=hint,
        n=values["n"],
        champion=figures.figure(metric, values["champion"]),
        challenger=figures.figure(metric, values["challenger"]),
        difference=figures.difference(metric, values["difference"]),
        interval=f"{low} to {high}",
        primary=primary,
        only_champion=str(test["only_champion"]) if test else "–",
        only_challenger=str(test["only_challenger"]) if test else "–",
        p=f"{test['p']:.4f}" if test else "–",
    )


def _plot(details: Mapping[str, Any], primary: str) -> str:
    shares = {name: one for name, one in details["metrics"].items() if figures.label_of(name).unit == "share"}
    moved = {name: one for name, one in shares.items() if name == primary or any(one["ci95"])}
    rows = [
        Row(figures.label_of(name).label, one["difference"], (one["ci95"][0], one["ci95"][1]), name == primary)
        for name, one in sorted(moved.items(), key=lambda each: (each[0] != primary, each[0]))
    ]
    return differences_plot(rows) if rows else ""


def _beside(details: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    champion, challenger = details["champion"], details["challenger"]
    rows = []
    for name in BESIDE:
        values = [(side[name] or {}).get("value") for side in (champion, challenger)]
        rows.append((figures.label_of(name).label, figures.figure(name, values[0]), figures.figure(name, values[1])))
    rows.append(("All answers together", _dollars(champion["cost_usd"]), _dollars(challenger["cost_usd"])))
    for key in ("refused", "errors"):
        rows.append((key.capitalize(), str(champion[key]), str(challenger[key])))
    return rows


def _dollars(value: float | None) -> str:
    return figures.figure(COST, value)


def _case(one: Mapping[str, Any], metric: str) -> Mapping[str, Any]:
    def side(name: str) -> Mapping[str, Any]:
        return {**one[name], "score": figures.figure(metric, one[name]["score"])}

    return {**one, "champion": side("champion"), "challenger": side("challenger")}


def _curves(project: Project, model: TunedModel) -> str:
    """The training curves as an image in the page; empty where none are known."""
    from rag_assets.tuning.curve_plot import curves_png
    from rag_assets.tuning.curves import Curves

    job = project.ledger.tuning_job(model.intent_id)
    columns = job.details.get("curves") if job is not None else None
    png = curves_png(Curves.from_columns(columns)) if columns else None
    return f"data:image/png;base64,{base64.b64encode(png).decode()}" if png else ""


def _provenance(row: ComparisonRow, model: TunedModel) -> list[tuple[str, str]]:
    return [
        ("Comparison", row.comparison_id),
        ("Began", f"{row.started_at.isoformat(timespec='seconds')}; no older result counts"),
        ("Snapshot", row.snapshot_id),
        ("Questions", row.questions_version),
        ("Base model", f"{model.base_model} of {model.provider}"),
        ("Tuning job", model.job_id),
        ("Training file", f"{model.training_file}, {model.examples} and {model.validation_examples} examples"),
        ("Judge", row.details["judge"] or "none"),
        ("Measured as", f"{row.details['champion']['measured_id']}, {row.details['challenger']['measured_id']}"),
    ]


def _method(details: Mapping[str, Any]) -> str:
    rules = details["rules"]
    return (
        f"Decided by {details['primary_metric']} alone: paired bootstrap with {rules['bootstrap_samples']:,} resamples "
        f"and seed {rules['seed']}, sign-flip test, both at a confidence of {rules['confidence']:.0%}, a margin of "
        f"{rules['min_margin']:.3f}, and at least {rules['min_questions']} questions. Both models answered the same "
        "questions on the same snapshot; a question that ended in an error counts as failed."
    )
