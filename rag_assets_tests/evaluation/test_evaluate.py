from __future__ import annotations

from dataclasses import replace

import pytest

from rag_assets.config import RetrievalSettings
from rag_assets.evaluation import evaluate as evaluate_module
from rag_assets.evaluation.evaluate import evaluate
from rag_assets.evaluation.model import Evaluation, Expected, GoldenQuestion
from rag_assets.evaluation.questions import make_question
from rag_assets.evaluation.summary import summarise
from rag_assets.project import Project
from rag_assets.releasing import ReleaseContent
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import ingest

RELEASES = """# Releases

A release pins one snapshot of the index, and it never changes afterwards.

## Going back

A rollback takes less than one second, because nothing is built again.
"""
STORAGE = """# Storage

Every table keeps its versions for thirty days.

The lock of a table is a local file.
"""
QUESTIONS = [
    make_question(
        "pins",
        "What does a release pin?",
        expected=[Expected("releases.md", "docs")],
        answers=["one snapshot of the index"],
        tags=["fact"],
    ),
    make_question(
        "rollback",
        "How long does a rollback take?",
        expected=[Expected("docs/releases.md", heading="Going back")],
        answers=["less than one second"],
        tags=["number"],
    ),
    make_question("versions", "How long are versions of a table kept?", expected=[Expected("storage.md")]),
    make_question("moon", "Who was the first person on the moon?"),
]


@pytest.fixture
def released(small_project: SmallProject) -> SmallProject:
    small_project.configure(docs="")
    small_project.write("docs/releases.md", RELEASES)
    small_project.write("docs/storage.md", STORAGE)
    assert all(run.succeeded for run in ingest(small_project).runs)
    return small_project


def content(project: Project) -> ReleaseContent:
    return ReleaseContent.of(project.release(), project.ledger)


def measure(small: SmallProject, questions: list[GoldenQuestion] = QUESTIONS) -> Evaluation:
    with small.open() as project:
        return evaluate(project, content(project), questions)


def test_a_real_release_is_measured_question_by_question(released: SmallProject) -> None:
    evaluation = measure(released)
    pins, rollback, versions, moon = evaluation.items
    assert [item.question_id for item in evaluation.items] == ["pins", "rollback", "versions", "moon"]
    assert pins.scores["mrr_at_10"] == pins.scores["answer_contains"] == pins.scores["citation_correctness"] == 1.0
    assert pins.scores["answer_words"] == len(pins.answer.replace("[1]", "").split())
    assert rollback.scores["mrr_at_10"] == 1.0
    assert [passage.uri for passage in rollback.retrieved if passage.relevant] == ["releases.md"]
    assert (pins.sources, moon.sources) == (("docs",), ())
    assert not {"answer_contains", "exact_match"} & versions.scores.keys()
    assert (moon.refused, moon.scores) == (True, {"refusal_precision": 1.0, "refusal_recall": 1.0})
    assert all(item.latency_ms > 0 and item.error is None for item in evaluation.items)
    assert evaluation.metrics == summarise(evaluation.items, samples=2_000)
    assert set(evaluation.by_tag) == {"fact", "number"}
    assert evaluation.by_source["docs"]["mrr_at_10"].n == 3


def test_answers_are_those_that_a_user_gets(released: SmallProject) -> None:
    evaluation = measure(released)
    with released.open() as project:
        for item in evaluation.items:
            answer = project.ask(item.question)
            assert (answer.answer, answer.answerable) == (item.answer, not item.refused)
            assert [citation.chunk_id for citation in answer.citations] == [one["chunk_id"] for one in item.citations]


def test_nothing_is_asked_twice_and_an_edited_question_alone_is_asked_again(released: SmallProject) -> None:
    first = measure(released)
    embedded = released.embedded_texts()
    again = measure(released)
    assert (again.items, again.metrics, again.reused_items) == (first.items, first.metrics, 4)
    assert (again.evaluation_id, first.reused_items) == (first.evaluation_id, 0)
    assert released.embedded_texts() == embedded
    retagged = replace(QUESTIONS[0], tags=("renamed",), question_id="new")
    edited = make_question("moon", "Who was the first woman in space?")
    last = measure(released, [retagged, *QUESTIONS[1:3], edited])
    assert (last.reused_items, released.embedded_texts()) == (3, embedded + 1)
    assert (last.items[0].question_id, last.items[0].tags) == ("new", ("renamed",))
    assert last.evaluation_id != first.evaluation_id


def test_a_stopped_evaluation_goes_on_where_it_was(released: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(what: str, done: int, total: int) -> None:
        assert (what, total) == ("questions", 4)
        if done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(evaluate_module, "ITEMS_AT_ONCE", 1)
    with released.open() as project, pytest.raises(KeyboardInterrupt):
        evaluate(project, content(project), QUESTIONS, progress=stop)
    evaluation = measure(released)
    assert evaluation.reused_items in (2, 3)
    assert [item.question_id for item in evaluation.items] == [question.question_id for question in QUESTIONS]


def test_what_is_measured_is_the_content_and_not_the_moment(released: SmallProject) -> None:
    with released.open() as project:
        serving = content(project)
        other = replace(
            serving,
            release=None,
            retrieval=RetrievalSettings.model_validate({**serving.values["retrieval"], "mode": "text"}),
        )
        first, text = (evaluate(project, each, QUESTIONS) for each in (serving, other))
        narrowed = evaluate(project, serving, QUESTIONS[3:], sources=["docs"])
        assert len({first.measured_id, text.measured_id, narrowed.measured_id}) == 3
        assert text.reused_items == narrowed.reused_items == 0
        # A revocation holds for people; a measurement of what was released does not change by it.
        project.ledger.deny_source("docs", reason="test")
        denied = evaluate(
            project, serving, [*QUESTIONS, make_question("new", "What is a lock of a table?", answers=["a local file"])]
        )
        assert denied.items[:4] == first.items
        assert denied.items[4].scores["answer_contains"] == 1.0


@pytest.mark.slow
def test_lost_documents_and_parts_are_reported_and_count_in_no_metric(released: SmallProject) -> None:
    lost = [
        make_question("gone", "What was in the other file?", expected=[Expected("other.md")]),
        make_question("half", "What is in both?", expected=[Expected("storage.md"), Expected("b.md", "docs")]),
        make_question("part", "What about locks?", expected=[Expected("storage.md", heading="Locks")]),
        make_question("page", "What is on page 2?", expected=[Expected("storage.md", page=2)]),
        make_question("squad", "Which?", expected=[Expected("no-document-holds: Some words")]),
    ]
    evaluation = measure(released, [*QUESTIONS, *lost])
    assert evaluation.orphaned == {
        "gone": "the document other.md is not in the snapshot",
        "half": "the document docs/b.md is not in the snapshot",
        "part": "storage.md has nothing under the heading 'Locks' any more",
        "page": "storage.md has nothing on page 2 any more",
        "squad": "no document holds its paragraph 'Some words'",
    }
    assert evaluation.metrics == measure(released).metrics


def test_a_question_that_cannot_be_asked_fails_and_is_tried_again(released: SmallProject) -> None:
    long = make_question("long", "Why? " * 2_000, expected=[Expected("releases.md")], answers=["x"])
    for _ in range(2):
        evaluation = measure(released, [*QUESTIONS, long])
        item = evaluation.items[-1]
        assert "The question has" in (item.error or "")
        assert {"mrr_at_10", "answer_contains", "token_f1", "citation_correctness"} <= item.scores.keys()
        assert set(item.scores.values()) == {0.0}
        assert evaluation.metrics["mrr_at_10"].n == 4
    assert evaluation.reused_items == 4
