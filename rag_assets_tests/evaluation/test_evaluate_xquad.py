"""A real dataset in SQuAD's format, from its file to metrics over a real release of its paragraphs."""

from __future__ import annotations

import json

import pytest

from rag_assets.evaluation.evaluate import evaluate
from rag_assets.evaluation.question_files import DocumentText, load_questions
from rag_assets.project import Project
from rag_assets.releasing import ReleaseContent
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.corpora import corpus
from rag_assets_tests.integration.runs import ingest

QUESTIONS = 150


def texts(project: Project) -> list[DocumentText]:
    rows = project.store.raw_documents("xquad").rows(["source", "uri", "text"]).to_pylist()
    return [DocumentText(**row) for row in rows]


@pytest.mark.slow
def test_questions_about_real_articles_are_placed_asked_and_scored(small_project: SmallProject) -> None:
    folder = corpus("xquad")
    small_project.configure(xquad="")
    for number, article in enumerate(json.loads((folder / "xquad.en.json").read_text("utf-8"))["data"][:12]):
        for at, paragraph in enumerate(article["paragraphs"]):
            small_project.write(f"xquad/{number:02}/{at}.md", f"# {article['title']}\n\n{paragraph['context']}\n")
    assert all(run.succeeded for run in ingest(small_project).runs)
    with small_project.open() as project:
        questions = load_questions(["xquad.en.json"], folder, documents=lambda: texts(project))
        placed = [one for one in questions if not one.expected[0].uri.startswith("no-document-holds:")]
        lost = [one for one in questions if one not in placed]
        content = ReleaseContent.of(project.release(), project.ledger)
        evaluation = evaluate(project, content, [*placed[:QUESTIONS], *lost[:5]])
        assert evaluate(project, content, placed[:QUESTIONS]).reused_items == QUESTIONS
    assert set(evaluation.orphaned) == {one.question_id for one in lost[:5]}
    assert [item.error for item in evaluation.items] == [None] * QUESTIONS
    values = {name: metric.value or 0.0 for name, metric in evaluation.metrics.items()}
    assert values["mrr_at_10"] > 0.85
    assert values["recall_at_10"] > 0.95
    assert values["citation_correctness"] == 1.0
    assert values["answer_contains"] > 0.5
    assert values["exact_match"] < values["token_f1"] < values["answer_contains"]
