"""The page of a comparison shows what models and questions say as text, and never runs it."""

from __future__ import annotations

from rag_assets.config import Settings
from rag_assets.evaluation.model import Expected, GoldenQuestion, ItemResult
from rag_assets.tuning.comparison_details import details_of
from rag_assets.tuning.comparison_report import write_comparison_report
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.evaluation.builders import evaluation, item
from rag_assets_tests.evaluation.reports import Page
from rag_assets_tests.evaluation.test_report_text import HOSTILE
from rag_assets_tests.tuning.champions import tuned


def test_hostile_text_stays_text(small_project: SmallProject) -> None:
    def answered(score: float, error: str | None) -> ItemResult:
        return item(
            HOSTILE, {"answer_contains": score}, question=HOSTILE, answer=HOSTILE, error=error, judged=HOSTILE,
            sources=(HOSTILE,),
        )  # fmt: skip

    asked = item(HOSTILE, {}).question_hash
    question = GoldenQuestion(HOSTILE, HOSTILE, (Expected("a.md"),), (HOSTILE,), True, (), "gate", asked)
    champion, challenger = (evaluation([answered(*one)]) for one in ((0.0, HOSTILE), (1.0, None)))
    outcome, details = details_of(champion, challenger, [question], Settings())
    with small_project.open() as project:
        ledger = project.ledger
        ledger.record_snapshot("s", "g", "t", 1, "x", {}, {}, "s")
        model = tuned(ledger, HOSTILE)
        ledger.start_comparison("c", champion=HOSTILE, challenger=HOSTILE, snapshot_id="s", questions_version="q")
        row = ledger.finish_comparison("c", outcome, details)
        decision = ledger.record_decision(HOSTILE, "rejected", reason=HOSTILE, decided_by=HOSTILE, comparison_id="c")
        path = write_comparison_report(project, row, model, decision)
    for file in (path, path.parent.parent / "index.html"):
        page = Page(file.read_text("utf-8"))
        assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img"})
        assert '<script>fetch("http://evil.example")</script>' in page.text
        assert all("evil" not in (value or "") for _, attributes in page.tags for value in attributes.values())
