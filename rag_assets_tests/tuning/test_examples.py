"""Example sets from files, golden questions and the ledger: one form, every mistake with its line, only differences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rag_assets.config import ExampleSetSettings
from rag_assets.errors import ConfigurationError, ExamplesError
from rag_assets.evaluation.model import Expected
from rag_assets.evaluation.questions import split_of
from rag_assets.tuning.examples import Example, read_examples, stored_examples, sync_examples
from rag_assets_tests.conftest import SmallProject


def lines(*values: Any) -> str:
    return "".join(f"{json.dumps(value)}\n" for value in values)


def read(project: SmallProject, name: str) -> list[Example]:
    with project.open() as opened:
        return read_examples(opened, name)


def mistakes(project: SmallProject, name: str) -> str:
    with pytest.raises(ExamplesError) as caught:
        read(project, name)
    assert name in caught.value.problem
    assert "stays" in caught.value.fix
    return caught.value.problem


def test_questions_mean_the_same_in_json_lines_and_csv(small_project: SmallProject) -> None:
    small_project.configure("examples: {one: {files: [a.jsonl]}, two: {files: [a.csv]}}")
    places = ["house/tea.md", "wine.md"]
    row = {"question": "How hot?", "answer": "Hot.", "accepted": ["80", "eighty"], "expected_uris": places}
    small_project.write("a.jsonl", lines(row, {"question": "Why?", "answerable": False}))
    small_project.write(
        "a.csv",
        "\nquestion;answer;accepted;expected_uris;answerable\n"
        'How hot?;Hot.;80 | eighty;"house/tea.md\nwine.md";yes\nWhy?;;;;no\n',
    )
    one, two = read(small_project, "one"), read(small_project, "two")
    without = [{**example.values, "origin": "", "example_set": ""} for example in one]
    assert without == [{**example.values, "origin": "", "example_set": ""} for example in two]
    assert one[0].expected == (Expected("house/tea.md"), Expected("wine.md"))
    assert [example.origin for example in one + two] == ["a.jsonl:1", "a.jsonl:2", "a.csv:3", "a.csv:5"]
    assert {example.example_id for example in one}.isdisjoint(example.example_id for example in two)


def test_every_mistake_of_every_file_is_named_with_its_line(small_project: SmallProject) -> None:
    small_project.configure(
        "examples: {faq: {files: ['faq/*', gone.csv]}, closed: {files: [c.csv], closed_book: true}}"
    )
    assert "gone.csv: no file matches" in mistakes(small_project, "faq")
    good = {"question": "Right?", "answer": "Yes."}
    small_project.write(
        "faq/a.jsonl",
        lines(good) + "{broken\n" + lines(
            {"question": "Odd?", "answers": ["x"]},
            {"question": " ", "answer": "x"},
            {"question": "And?"},
            {"question": "No?", "answer": "x", "answerable": False},
            {"question": "Where?", "answer": "x", "expected": [{"uri": "a", "page": 0}]},
            {"question": "A?", "answer": "half \ud800"},
        ),
    )  # fmt: skip
    small_project.write("faq/b.csv", "question,answer\n RIGHT? ,x\nA,b,c\n")
    small_project.write("gone.csv", "question,id\nA,b\n")
    small_project.write("c.csv", "question,accepted\nA,b\n")
    said = mistakes(small_project, "faq")
    for expected in (
        "10 mistakes",
        "faq/a.jsonl:2: it is no JSON object",
        "faq/a.jsonl:3: unknown key 'answers'; known: question, answer, accepted",
        "faq/a.jsonl:4: the question is empty",
        "faq/a.jsonl:5: it has no answer",
        "faq/a.jsonl:6: it is said to be unanswerable, but has an answer",
        "faq/a.jsonl:7: page of expected must be a number from 1",
        "faq/a.jsonl:8: a text holds \\ud800",
        "faq/b.csv:2: the same question is in faq/a.jsonl:1",
        "faq/b.csv:3: it has 3 cells and 2 columns",
        "gone.csv:1: unknown column 'id'",
    ):
        assert expected in said
    assert "c.csv:2: a set that is closed_book needs the answer itself" in mistakes(small_project, "closed")


def test_posts_have_a_title_and_a_body(small_project: SmallProject) -> None:
    small_project.configure("examples: {posts: {kind: posts, files: ['p/*'], style: dry, closed_book: true}}")
    small_project.write("p/a.md", "\n# Tea in the morning\n\nBoil it.\n\nDrink it.\n")
    small_project.write("p/b.txt", "Wine.\nLater.")
    first, second = read(small_project, "posts")
    assert (first.prompt, first.answer) == ("Tea in the morning", "Boil it.\n\nDrink it.")
    assert (first.style, first.closed_book, first.origin) == ("dry", True, "p/a.md:2")
    assert second.prompt == "Wine."
    small_project.write("p/b.txt", "Wine\n====\n\nLater.\n\n---\n")
    assert read(small_project, "posts")[1].answer == "Later.\n\n---"
    small_project.write("p/c.md", "# Only a title\n")
    small_project.write("p/d.md", "#\n\nOnly a body.\n")
    small_project.write("p/e.md", b"\xff\xfe")
    small_project.write("p/f.md", "---\ntitle: Tea\n---\nBoil it.\n")
    said = mistakes(small_project, "posts")
    for expected in (
        "p/c.md:1: it has a title and no body",
        "p/d.md:1: its first line must be the title",
        "p/e.md: it is not UTF-8 text",
        "p/f.md:1: its first line must be the title, and is '---'",
    ):
        assert expected in said


def test_chats_are_read_with_what_came_before(small_project: SmallProject) -> None:
    small_project.configure("examples: {chat: {kind: chat, files: [c.jsonl]}}")
    user, assistant = {"role": "user", "content": "And then?"}, {"role": "assistant", "content": "Wait."}
    before = [{"role": "user", "content": "What first?"}, {"role": "assistant", "content": "Boil."}]
    system = {"role": "system", "content": "Be short."}
    small_project.write(
        "c.jsonl", lines({"messages": [system, user, assistant]}, {"messages": [*before, user, assistant]})
    )
    one, two = read(small_project, "chat")
    assert (one.prompt, one.answer, one.messages[0]) == ("And then?", "Wait.", system)
    assert one.asked != two.asked, "the same words after another beginning ask something else"
    tool = {"role": "tool", "content": "x"}
    wrong: list[Any] = [
        {"messages": [user]},
        {"messages": [assistant]},
        {"messages": [tool, assistant]},
        {"messages": [user, {"role": "assistant", "content": None}]},
        {"messages": [user, assistant], "tools": []},
        {"messages": []},
        {"messages": [user, system, user, assistant]},
    ]
    small_project.write("c.jsonl", lines(*wrong))
    said = mistakes(small_project, "chat")
    for number, expected in enumerate(
        (
            "the last message must be the assistant's",
            "the message before the last must be the user's",
            "the role of message 1 must be one of",
            "the content of message 2 must be a text",
            "unknown key 'tools'",
            "messages must be a list",
            "the system message must be the first",
        ),
        start=1,
    ):
        assert f"c.jsonl:{number}: {expected}" in said


def test_golden_questions_cannot_be_closed_book() -> None:
    with pytest.raises(ValueError, match="closed_book cannot be true"):
        ExampleSetSettings(kind="golden", closed_book=True)


def test_of_the_golden_questions_only_the_split_train_is_taught(small_project: SmallProject) -> None:
    small_project.configure("evaluation: {questions: [g.jsonl]}\nexamples: {golden: {kind: golden}}")
    asked = [f"Question number {number}?" for number in range(60)]
    small_project.write("g.jsonl", lines(*({"id": q, "question": q, "answers": ["x"]} for q in asked)))
    train = [question for question in asked if split_of(question) == "train"]
    assert 0 < len(train) < len(asked)
    found = read(small_project, "golden")
    assert [(example.prompt, example.origin) for example in found] == [(q, f"golden:{q}") for q in train]


@pytest.fixture
def told(small_project: SmallProject) -> SmallProject:
    """A project with a release to answer from."""
    small_project.configure("examples: {rated: {kind: ratings}}")
    with small_project.open() as project:
        project.ledger.record_snapshot("s", "g", "t", 1, "x", {}, {}, "s")
        project.ledger.create_release("r", "s", {"system": "s", "user": "u", "refusal": "r"}, "m")
    return small_project


def answered(project: SmallProject, question: str, answer: str, *opinions: str, cited: bool = True) -> str:
    """Records an answer with ratings like "good by ann", oldest first."""
    citation = {"n": 1, "uri": "tea.md", "source": "house", "quote": "Boil it.", "quotes": ["Boil it.", "Wait."]}
    with project.open() as opened:
        answer_id = opened.ledger.record_answer(
            release_id="r",
            question=question,
            answer=answer,
            answerable=cited,
            citations=[citation] if cited else [],
            model="m",
            usage={},
            cost_usd=0.0,
            latency_ms=1.0,
        )
        for opinion in opinions:
            rating, _, by = opinion.partition(" by ")
            opened.ledger.record_rating(answer_id, "good" if rating == "good" else "bad", by=by)
    return answer_id


def test_what_people_hold_good_is_taught_and_what_anybody_holds_bad_is_not(told: SmallProject) -> None:
    answered(told, "Disputed?", "x [1]", "good by ann", "bad by bob")
    answered(told, "Disputed the other way?", "x [1]", "bad by bob", "good by ann")
    answered(told, "Bad?", "x [1]", "good by ann", "bad by ann")
    answered(told, "Not rated?", "x [1]")
    changed = answered(told, "Mended?", "Boil it. [1]", "bad by ann", "good by ann")
    answered(told, "Twice?", "Old. [1]", "good by ann")
    newer = answered(told, "  twice? ", "New. [1]", "good by bob")
    refused = answered(told, "Unknown?", "I cannot say.", "good by ann", cited=False)
    found = {example.origin: example for example in read(told, "rated")}
    assert set(found) == {f"answer:{one}" for one in (changed, newer, refused)}
    example = found[f"answer:{changed}"]
    assert (example.quotes, example.expected) == (("Boil it.", "Wait."), (Expected("tea.md", "house"),))
    assert (found[f"answer:{refused}"].answerable, found[f"answer:{refused}"].answer) == (False, "")


def test_the_table_takes_differences_and_a_moved_line_is_the_same_example(small_project: SmallProject) -> None:
    small_project.configure("examples: {faq: {files: [a.jsonl]}}")
    place = {"uri": "u", "source": "s", "heading": "H", "page": 2}
    rows: list[dict[str, Any]] = [
        {"question": "One?", "accepted": ["1"], "quotes": ["It is 1."], "expected": [place]},
        {"question": "Two?", "answer": "2"},
        {"question": "Three?", "answerable": False},
    ]

    def sync(*values: Any) -> Any:
        small_project.write("a.jsonl", lines(*values))
        with small_project.open() as project:
            table = project.store.training_examples("faq")
            examples = read_examples(project, "faq")
            result = sync_examples(table, examples)
            assert stored_examples(table) == sorted(examples, key=lambda example: example.example_id)
            return result

    first = sync(*rows)
    assert (first.inserted, first.commits > 0) == (3, True)
    again = sync(*rows)
    assert (again.commits, again.data_version, again.table_version) == (0, first.data_version, first.table_version)
    assert again.why == "No example changed; the set has 3."
    moved = sync(*reversed(rows))
    assert (moved.moved, moved.changed, moved.data_version) == (2, 0, first.data_version)
    changed = sync({**rows[1], "answer": "two"}, rows[2], {"question": "Four?", "answer": "4"})
    assert (changed.inserted, changed.changed, changed.deleted, changed.moved) == (1, 1, 1, 1)
    assert changed.data_version != first.data_version


def test_a_set_that_is_not_configured_is_a_clear_error(small_project: SmallProject) -> None:
    small_project.configure("examples: {rated: {kind: ratings}, golden: {kind: golden}}")
    with pytest.raises(ConfigurationError, match="no set of examples named 'faq'; configured sets: golden, rated"):
        read(small_project, "faq")
    assert read(small_project, "rated") == read(small_project, "golden") == []
    assert Path(small_project.config_file).is_file()
