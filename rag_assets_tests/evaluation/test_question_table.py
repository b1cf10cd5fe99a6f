from __future__ import annotations

from pathlib import Path

from rag_assets.evaluation.model import Expected
from rag_assets.evaluation.question_table import questions_version, stored_questions, sync_questions
from rag_assets.evaluation.questions import make_question
from rag_assets.store import Store

QUESTIONS = [
    make_question("a", "One?", expected=[Expected("u", "s", "H", 2), Expected("v")], answers=["1", "eins"], tags=["t"]),
    make_question("b", "Two?", answers=["2"]),
    make_question("c", "Three?"),
]


def test_the_table_holds_exactly_the_questions_and_writes_differences_alone(tmp_path: Path) -> None:
    table = Store(str(tmp_path / "lance"), lock_dir=tmp_path / "locks").golden_questions()
    assert stored_questions(table) == []
    first = sync_questions(table, QUESTIONS)
    assert (first.inserted, first.questions, first.commits > 0) == (3, 3, True)
    assert stored_questions(table) == QUESTIONS
    again = sync_questions(table, list(reversed(QUESTIONS)))
    assert (again.commits, again.table_version, again.version) == (0, first.table_version, first.version)
    edited = [QUESTIONS[0], make_question("b", "Two?", answers=["2"], tags=["new"]), make_question("d", "Four?")]
    result = sync_questions(table, edited)
    assert (result.inserted, result.updated, result.deleted) == (1, 1, 1)
    assert stored_questions(table) == edited
    assert sync_questions(table, []).deleted == 3
    assert stored_questions(table) == []


def test_the_version_is_of_the_set_and_not_of_its_order() -> None:
    assert questions_version(QUESTIONS) == questions_version(QUESTIONS[::-1])
    tagged = make_question("c", "Three?", tags=["t"])
    versions = {
        questions_version(QUESTIONS),
        questions_version(QUESTIONS[:2]),
        questions_version([*QUESTIONS[:2], tagged]),
    }
    assert len(versions) == 3
