from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rag_assets.errors import QuestionsError
from rag_assets.evaluation.model import Expected, GoldenQuestion
from rag_assets.evaluation.question_files import DocumentText, load_questions
from rag_assets_tests.corpora import corpus

CONTEXT = "The  first release pins one snapshot\nof the index, and it never changes."


def squad(*paragraphs: dict[str, Any]) -> str:
    return json.dumps({"version": "v2.0", "data": [{"title": "T", "paragraphs": list(paragraphs)}]})


def qa(number: int, question: str, *answers: str, impossible: bool = False) -> dict[str, Any]:
    found = [{"text": answer, "answer_start": 0} for answer in answers]
    return {"id": f"q{number}", "question": question, "answers": found, "is_impossible": impossible}


def load(root: Path, text: str, *documents: DocumentText) -> list[GoldenQuestion]:
    (root / "squad.json").write_text(text, "utf-8")
    return load_questions(["squad.json"], root, documents=lambda: documents)


def test_the_document_is_found_by_its_paragraph_whatever_the_white_space(tmp_path: Path) -> None:
    documents = [
        DocumentText("a", "other.md", "Nothing of it."),
        DocumentText(
            "a", "right.md", "# Releases\n\n“The first release\npins one snapshot of the index,\nand it never changes.”"
        ),
    ]
    (found,) = load(tmp_path, squad({"context": CONTEXT, "qas": [qa(1, "What?", "one", "one", "a")]}), *documents)
    assert (found.expected, found.answers) == ((Expected("right.md", "a"),), ("one", "a"))


def test_every_document_with_the_paragraph_is_expected_and_short_ones_are_found_too(tmp_path: Path) -> None:
    documents = [DocumentText("a", "1.md", "x Short one. y"), DocumentText("b", "2.md", "Short  one.")]
    (found,) = load(tmp_path, squad({"context": "Short one.", "qas": [qa(1, "What?", "one")]}), *documents)
    assert found.expected == (Expected("1.md", "a"), Expected("2.md", "b"))


def test_a_paragraph_may_name_its_document_and_then_no_text_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "squad.json").write_text(squad({"uri": "s/x.md", "qas": [qa(1, "What?", "one")]}), "utf-8")

    def documents() -> list[DocumentText]:
        raise AssertionError("nothing needs the documents")

    (found,) = load_questions(["squad.json"], tmp_path, documents=documents)
    assert found.expected == (Expected("s/x.md"),)


def test_a_paragraph_that_no_document_holds_is_an_expectation_that_nothing_meets(tmp_path: Path) -> None:
    (found,) = load(tmp_path, squad({"context": CONTEXT, "qas": [qa(1, "What?", "one")]}))
    (place,) = found.expected
    assert place.uri.startswith("no-document-holds: The first release pins")
    assert found.answerable


def test_an_impossible_question_is_unanswerable(tmp_path: Path) -> None:
    (found,) = load(tmp_path, squad({"context": CONTEXT, "qas": [qa(1, "Who?", impossible=True)]}))
    assert (found.answerable, found.expected, found.answers) == (False, (), ())


def test_a_question_asked_twice_in_a_file_is_one_with_the_labels_of_both(tmp_path: Path) -> None:
    (found,) = load(
        tmp_path,
        squad({"uri": "a", "qas": [qa(1, "What?", "one")]}, {"uri": "b", "qas": [qa(2, "WHAT?", "two")]}),
    )
    assert (found.question_id, found.answers, found.expected) == ("q1", ("one", "two"), (Expected("a"), Expected("b")))


def test_mistakes_name_article_paragraph_and_question(tmp_path: Path) -> None:
    broken: list[dict[str, Any]] = [
        {"qas": []},
        {"context": "c", "qas": [{"id": "", "question": "Q?"}, {"id": "x", "question": " "}]},
        {},
    ]
    with pytest.raises(QuestionsError) as caught:
        load(tmp_path, squad(*broken))
    for said in (
        "article 1, paragraph 1: it has neither a 'context' nor a 'uri'",
        "article 1, paragraph 2: a question lacks its id",
        "paragraph 2: the question 'x' has no words",
        "article 1, paragraph 3: it lacks the list 'qas'",
    ):
        assert said in caught.value.problem


def test_every_paragraph_of_xquad_is_found_among_its_own_texts() -> None:
    folder = corpus("xquad")
    articles = json.loads((folder / "xquad.en.json").read_text("utf-8"))["data"]
    documents = [
        DocumentText("x", f"{article['title']}/{number}", "\n".join(paragraph["context"].split(" ")))
        for article in articles
        for number, paragraph in enumerate(article["paragraphs"])
    ]
    questions = load_questions(["xquad.en.json"], folder, documents=lambda: documents)
    asked = [qa["question"] for article in articles for paragraph in article["paragraphs"] for qa in paragraph["qas"]]
    assert len(questions) == len({" ".join(text.casefold().split()) for text in asked}) == 1_185
    assert all(len(question.expected) == 1 for question in questions)


def test_what_no_file_can_hold_is_a_mistake_with_its_place(tmp_path: Path) -> None:
    paragraphs = [
        {"uri": "s/\ud800.md", "qas": [qa(1, "What?", "one")]},
        {"context": "Half \udfff a pair.", "qas": [qa(2, "Who?", "one")]},
        {"uri": "s/x.md", "qas": [qa(3, "Where \0?", "one"), qa(4, "When?", "one \ud800")]},
        {"uri": "s/x.md", "qas": [qa(5, "Why?", "one") | {"id": "\ud800"}]},
    ]
    with pytest.raises(QuestionsError) as caught:
        load(tmp_path, squad(*paragraphs))
    said = caught.value.problem
    said.encode()
    assert "5 mistakes" in said
    for number in (1, 2, 3, 4):
        assert f"squad.json, article 1, paragraph {number}: a text holds \\u" in said
