"""The examples that `make demo` tunes on: sound labels, honest wording, and nothing of what the gate asks."""

from __future__ import annotations

import re
from functools import cache

from rag_assets.config_file import load_settings
from rag_assets.evaluation.configured import configured_questions
from rag_assets.evaluation.questions import normalised, split_of
from rag_assets.project import Project
from rag_assets.tuning.examples import Example, read_examples
from rag_assets_tests.examples.documents import ROOT, contains, example_documents, runs

OFTEN = (
    "the a an of to in is are does do how what which for and on it be by that with when who why at from or can i we as "
    "if not one"
)


@cache
def examples() -> dict[str, list[Example]]:
    """Set → its examples, of the sets that have files."""
    project = Project(load_settings(ROOT / "rag_assets.yaml", {}))
    return {name: read_examples(project, name) for name, one in project.settings.examples.items() if one.files}


def asked() -> list[Example]:
    return [*examples()["questions"], *examples()["faq"]]


@cache
def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold())).difference(OFTEN.split())


def likeness(one: str, other: str) -> float:
    """Share of the words of two questions that both have, of those that say something."""
    return len(words(one) & words(other)) / max(1, len(words(one) | words(other)))


def test_there_are_enough_of_every_kind():
    answerable = [example for example in asked() if example.answerable]
    assert len(examples()["questions"]) >= 120
    assert len(examples()["faq"]) >= 30
    assert 0.1 <= 1 - len(answerable) / len(asked()) <= 0.3, "the share of refusals that the playbook asks for"
    assert 3 <= len(examples()["posts"]) <= 5
    assert all(example.style for example in examples()["posts"])
    assert len(examples()["chats"]) >= 3


def test_every_accepted_answer_stands_in_its_document_and_every_document_is_asked_about():
    documents = example_documents()
    named = {(place.source, place.uri) for example in examples()["questions"] for place in example.expected}
    assert named == set(documents)
    missing = []
    for example in asked():
        assert example.answer or not example.answerable
        for place in example.expected:
            source, uri = (place.source, place.uri) if place.source else place.uri.split("/", 1)
            text = documents[source, uri].text
            missing += [(uri, piece) for piece in example.accepted if not contains(text, piece)]
    assert missing == []


def test_no_question_copies_five_words_of_its_document_or_gives_its_answer_away():
    texts = {uri: document.text for (_, uri), document in example_documents().items()}
    copied = {
        (example.origin, run)
        for example in asked()
        for place in example.expected
        for run in runs(example.prompt, 5) & runs(texts[place.uri.rpartition("/")[2]], 5)
    }
    assert copied == set()
    assert [one.origin for one in asked() if any(contains(one.prompt, piece) for piece in one.accepted)] == []


def test_none_is_like_a_golden_question():
    golden = [
        question.question for question in configured_questions(Project(load_settings(ROOT / "rag_assets.yaml", {})))
    ]
    held_out = [question for question in golden if split_of(question) != "train"]
    assert len(held_out) >= 200
    alike = [(one.prompt, other) for one in asked() for other in golden if likeness(one.prompt, other) >= 0.4]
    assert alike == []
    assert {normalised(example.prompt) for example in asked()}.isdisjoint(map(normalised, golden))
