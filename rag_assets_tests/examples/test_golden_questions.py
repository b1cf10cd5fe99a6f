"""The golden questions of the example knowledge base: sound labels, honest wording, enough of every kind."""

from __future__ import annotations

import json
from collections import Counter
from itertools import chain
from typing import Any

from rag_assets.evaluation.questions import split_of
from rag_assets_tests.examples.documents import ROOT, ExampleDocument, contains, example_documents, normalized, runs

FILES = sorted((ROOT / "examples" / "golden").glob("*.jsonl"))
QUESTIONS: list[dict[str, Any]] = [
    json.loads(line) for file in FILES for line in file.read_text("utf-8").splitlines() if line.strip()
]
ANSWERABLE = [question for question in QUESTIONS if question["answerable"]]
UNANSWERABLE = [question for question in QUESTIONS if not question["answerable"]]
KINDS = {"fact", "how-to", "definition", "comparison", "reason", "number"}


def expected_documents(question: dict[str, Any]) -> dict[tuple[str, str], ExampleDocument]:
    """The documents that the labels of `question` name."""
    names = {(expected["source"], expected["uri"]) for expected in question["expected"]}
    return {name: document for name, document in example_documents().items() if name in names}


def test_ids_and_questions_are_unique():
    for values in ([q["id"] for q in QUESTIONS], [normalized(q["question"]) for q in QUESTIONS]):
        assert [value for value, count in Counter(values).items() if count > 1] == []


def test_every_line_has_the_same_fields():
    for question in QUESTIONS:
        assert list(question) == ["id", "question", "expected", "answers", "answerable", "tags"], question["id"]
        assert question["question"].strip() == question["question"] != ""
        for expected in question["expected"]:
            assert {"source", "uri"} <= set(expected) <= {"source", "uri", "heading", "page"}, question["id"]


def test_an_id_begins_with_the_name_of_its_file():
    for file in FILES:
        for line in file.read_text("utf-8").splitlines():
            assert json.loads(line)["id"].startswith(f"{file.stem}-")


def test_labels_exist():
    documents = example_documents()
    wrong = []
    for question in ANSWERABLE:
        assert question["expected"], question["id"]
        for expected in question["expected"]:
            document = documents.get((expected["source"], expected["uri"]))
            if (
                document is None
                or ("heading" in expected and expected["heading"] not in document.headings)
                or ("page" in expected and expected["page"] not in document.pages)
            ):
                wrong.append((question["id"], expected))
    assert wrong == []


def test_every_accepted_answer_stands_in_an_expected_document_and_every_document_has_one():
    missing = []
    for question in ANSWERABLE:
        documents, answers = expected_documents(question), question["answers"]
        assert answers and all(map(normalized, answers)), question["id"]
        for answer in answers:
            if not any(contains(document.text, answer) for document in documents.values()):
                missing.append((question["id"], answer))
        for name, document in documents.items():
            if not any(contains(document.text, answer) for answer in answers):
                missing.append((question["id"], name))
    assert missing == []


def test_no_accepted_answer_is_so_short_that_it_stands_everywhere():
    texts = [document.text for document in example_documents().values()]
    answers = {answer for question in ANSWERABLE for answer in question["answers"]}
    assert [answer for answer in answers if sum(contains(text, answer) for text in texts) > len(texts) / 4] == []


def test_no_question_copies_five_words_of_its_document():
    shared = {
        (question["id"], " ".join(run))
        for question in ANSWERABLE
        for document in expected_documents(question).values()
        for run in runs(question["question"], 5) & runs(document.text, 5)
    }
    assert shared == set()


def test_a_question_does_not_give_its_answer_away():
    given = [(q["id"], answer) for q in ANSWERABLE for answer in q["answers"] if contains(q["question"], answer)]
    assert given == []


def test_unanswerable_questions_have_no_labels_and_are_a_fifth():
    for question in UNANSWERABLE:
        assert question["expected"] == question["answers"] == []
        assert question["tags"][0] == "unanswerable"
    assert 0.2 <= len(UNANSWERABLE) / len(QUESTIONS) <= 0.25
    near_misses = [question for question in UNANSWERABLE if "near-miss" in question["tags"]]
    assert len(near_misses) >= len(UNANSWERABLE) / 2


def test_tags_say_the_kind_and_whether_several_documents_answer():
    for question in ANSWERABLE:
        tags = set(question["tags"])
        assert len(tags & KINDS) == 1 and tags <= KINDS | {"multi-document"}, question["id"]
        assert ("multi-document" in tags) == (len(expected_documents(question)) > 1), question["id"]
    used = Counter(chain.from_iterable(question["tags"] for question in ANSWERABLE))
    assert all(used[kind] >= 8 for kind in KINDS | {"multi-document"}), used


def test_there_are_enough_to_measure():
    assert len(ANSWERABLE) >= 150
    splits = Counter(split_of(question["question"]) for question in ANSWERABLE)
    assert splits["gate"] >= 80 and splits["validation"] >= 20 and splits["train"] >= 40, splits
    assert 0.5 <= splits["gate"] / len(ANSWERABLE) <= 0.7
    refusals = Counter(split_of(question["question"]) for question in UNANSWERABLE)
    assert refusals["gate"] >= 20, refusals


def test_every_example_document_is_asked_about_several_times():
    asked = Counter((expected["source"], expected["uri"]) for q in ANSWERABLE for expected in q["expected"])
    assert set(asked) == set(example_documents())
    assert min(asked.values()) >= 4


def test_some_labels_name_a_place():
    labels = [expected for question in ANSWERABLE for expected in question["expected"]]
    assert len([label for label in labels if "heading" in label]) >= len(labels) / 6
    assert len([label for label in labels if "page" in label]) >= 10
