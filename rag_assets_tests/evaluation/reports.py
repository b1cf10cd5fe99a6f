"""Evaluations to write reports of, and a reader of the pages."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from rag_assets.config import AnsweringSettings, ChatSettings, EmbeddingSettings, EvaluationSettings, RetrievalSettings
from rag_assets.evaluation.changes import Changes
from rag_assets.evaluation.gate import Baseline, judge_quality
from rag_assets.evaluation.model import Evaluation, Expected, GoldenQuestion, ItemResult
from rag_assets.evaluation.report import ReportPaths, write_report
from rag_assets.ledger import EvaluationRow, Snapshot
from rag_assets.prompts import Prompts
from rag_assets.releasing import ReleaseContent
from rag_assets_tests.evaluation.builders import evaluation, item, metrics_of, passage

NOW = datetime.datetime(2026, 3, 1, 12, 30, tzinfo=datetime.UTC)


class Page(HTMLParser):
    """The tags of a page and their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "li", "p", "dd", "dt"):
            self.text += " "


def results(values: Sequence[float], **more: Any) -> list[ItemResult]:
    return [
        item(
            f"q{number:03}",
            {"mrr_at_10": value, "answer_contains": float(value == 1)},
            tags=("pumps",) if number % 2 else ("valves",),
            retrieved=(passage("guide.md", relevant=value == 1), passage("other.md", page=3)),
            citations=({"n": 1, "source": "docs", "uri": "guide.md", "quote": "Turn it twice."},),
            **more,
        )
        for number, value in enumerate(values)
    ]


def measured(items: Sequence[ItemResult], name: str = "candidate", **more: Any) -> Evaluation:
    return evaluation(
        items,
        name=name,
        by_source={"docs": metrics_of(items)},
        by_tag={tag: metrics_of([one for one in items if tag in one.tags]) for tag in ("pumps", "valves")},
        **more,
    )


def content() -> ReleaseContent:
    snapshot = Snapshot(
        "snapshot-1", "gen1", "vector_index__gen1", 7, "minilm-384", "t", {}, {}, NOW, {"parsers": "markdown@2"}
    )
    return ReleaseContent(
        snapshot=snapshot,
        prompts=Prompts("system", "{{passages}}{{question}}", "no"),
        chat=ChatSettings(),
        embedding=EmbeddingSettings(),
        retrieval=RetrievalSettings(),
        answering=AnsweringSettings(),
    )


def row(one: Evaluation, *, days_ago: int = 0, passed: bool = True, **more: Any) -> EvaluationRow:
    defaults: dict[str, Any] = {
        "measured_id": one.measured_id,
        "snapshot_id": one.snapshot_id,
        "questions_version": one.questions_version,
        "questions": len(one.items),
        "content": {},
        "metrics": {name: metric.to_dict() for name, metric in one.metrics.items()},
        "details": {"passed": passed, "reason": "mrr_at_10 is 0.100, below its minimum 0.800"},
        "report": one.evaluation_id,
        "created_at": NOW - datetime.timedelta(days=days_ago),
    }
    return EvaluationRow(evaluation_id=one.evaluation_id, release_id=one.release_id, **(defaults | more))


def parts(candidate: Evaluation, *before: Evaluation, **more: Any) -> dict[str, Any]:
    """What `write_report` takes besides the folder and the evaluation."""
    baselines = [Baseline("serving", one.release_id, one) for one in before]
    settings = EvaluationSettings(minima={"mrr_at_10": 0.8}, bootstrap_samples=300)
    defaults: dict[str, Any] = {
        "content": content(),
        "verdict": judge_quality(candidate, baselines, settings, "subject"),
        "baselines": baselines,
        "changes": Changes("before", candidate.release_id),
        "history": [row(candidate)],
        "questions": [_question(one) for one in candidate.items],
    }
    return defaults | more


def _question(one: ItemResult) -> GoldenQuestion:
    expected = (Expected("guide.md", "docs", "Setup", 2),)
    return GoldenQuestion(
        one.question_id, one.question, expected, ("twice",), True, one.tags, "gate", one.question_hash
    )


def write(folder: Path, candidate: Evaluation, *before: Evaluation, **more: Any) -> ReportPaths:
    return write_report(folder, candidate, **parts(candidate, *before, **more))
