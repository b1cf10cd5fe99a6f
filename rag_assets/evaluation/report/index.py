"""The page of all reports, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rag_assets.evaluation.report import figures
from rag_assets.evaluation.report.tables import measured
from rag_assets.evaluation.report.write import HTML_FILE, render_html, write_at_once
from rag_assets.ledger import ComparisonRow, EvaluationRow

INDEX_FILE = "index.html"
COLUMNS = ("recall_at_5", "mrr_at_10", "answer_contains", "citation_correctness", "refusal_recall")


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One evaluation. `link` is relative to the page, "" without a report."""

    when: str
    link: str
    release_id: str
    snapshot_id: str
    questions: int
    passed: bool | None
    reason: str
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One comparison of two models. `link` is relative to the page, "" without a report."""

    when: str
    link: str
    champion: str
    challenger: str
    decision: str
    reason: str


def write_index(folder: Path, rows: Sequence[EvaluationRow], comparisons: Sequence[ComparisonRow] = ()) -> Path:
    """Writes `index.html` into `folder`, which it makes; returns its path."""
    newest_first = sorted(rows, key=lambda row: (row.created_at, row.evaluation_id), reverse=True)
    columns = [name for name in COLUMNS if any(measured(row, name)[0] is not None for row in newest_first)]
    shown = [
        IndexRow(
            when=f"{row.created_at:%Y-%m-%d %H:%M}",
            link=f"{row.report}/{HTML_FILE}" if row.report else "",
            release_id=row.release_id,
            snapshot_id=row.snapshot_id,
            questions=row.questions,
            passed=row.details.get("passed"),
            reason=str(row.details.get("reason", "")),
            figures=tuple(
                (figures.figure(name, value), figures.interval(name, ci95))
                for name in columns
                for value, ci95 in [measured(row, name)]
            ),
        )
        for row in newest_first
    ]
    path = folder / INDEX_FILE
    labels = [figures.label_of(name) for name in columns]
    compared = [_compared(row) for row in comparisons if row.decision is not None]
    write_at_once(path, render_html("index.html", rows=shown, columns=labels, comparisons=compared))
    return path


def _compared(row: ComparisonRow) -> ComparedRow:
    return ComparedRow(
        when=f"{row.started_at:%Y-%m-%d %H:%M}",
        link=f"{row.report}/{HTML_FILE}" if row.report else "",
        champion=row.champion,
        challenger=row.challenger,
        decision=str(row.decision),
        reason=str(row.details.get("reason", "")),
    )
