from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rag_assets.errors import QuestionsError
from rag_assets.evaluation.model import Expected, GoldenQuestion
from rag_assets.evaluation.question_files import DocumentText, load_questions


def load(root: Path, *patterns: str, documents: Sequence[DocumentText] = ()) -> list[GoldenQuestion]:
    return load_questions(patterns, root, documents=lambda: documents)


def lines(file: Path, *values: Any, encoding: str = "utf-8") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(json.dumps(value) for value in values) + "\n", encoding)
    return file


def mistakes(root: Path, *patterns: str) -> str:
    with pytest.raises(QuestionsError) as caught:
        load(root, *patterns)
    assert caught.value.fix
    return caught.value.problem


def test_json_lines_with_both_ways_to_name_documents(tmp_path: Path) -> None:
    place = {"uri": "limits.rst", "source": "reference", "heading": "Tokens"}
    lines(
        tmp_path / "q" / "golden.jsonl",
        {"id": "one", "question": "What?", "expected_uris": ["handbook/a.md"], "answers": ["x"], "tags": ["t"]},
        {"id": 2, "question": "Where?", "expected": [place, {"uri": "b.pdf", "page": 3}]},
        {"question": "Who knows?", "answerable": False},
    )
    one, two, three = load(tmp_path, "q/*.jsonl")
    assert (one.question_id, one.expected, one.answers, one.tags) == (
        "one",
        (Expected("handbook/a.md"),),
        ("x",),
        ("t",),
    )
    assert two.expected == (Expected("limits.rst", "reference", "Tokens"), Expected("b.pdf", page=3))
    assert two.question_id == "2"
    assert (three.answerable, len(three.question_id)) == (False, 12)


def test_csv_means_the_same_as_json_lines(tmp_path: Path) -> None:
    lines(
        tmp_path / "golden.jsonl",
        {
            "id": "a",
            "question": 'Say "it", now?',
            "expected_uris": ["x.md", "s/y.md"],
            "answers": ["1", "2"],
            "tags": ["t"],
        },
        {"id": "b", "question": "Nothing?", "answerable": False},
    )
    rows = [
        "id,question,expected_uris,answers,answerable,tags",
        'a,"Say ""it"", now?",x.md | s/y.md,"1\n2",TRUE,t',
        "b,Nothing?,,,no,",
    ]
    (tmp_path / "golden.csv").write_text("\r\n".join([*rows, ""]), "utf-8-sig", newline="")
    assert load(tmp_path, "golden.csv") == load(tmp_path, "golden.jsonl")
    (tmp_path / "semicolons.csv").write_text("question;answers\nHow, then?;so, thus\n", "utf-8")
    assert load(tmp_path, "semicolons.csv")[0].answers == ("so, thus",)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    lines(tmp_path / "golden.jsonl", {"question": "Wie groß?", "answers": ["groß"]}, encoding="utf-8-sig")
    assert load(tmp_path, "golden.jsonl")[0].question == "Wie groß?"


def test_all_mistakes_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"question": "Right?", "answers": ["yes"]}\n'
        "{broken\n\n"
        '{"question": "Odd?", "answer": "x"}\n'
        '{"question": "", "answers": ["x"]}\n'
        '{"question": "P?", "expected": [{"uri": "a", "page": 0}]}\n'
        '{"question": "L?", "answers": "one"}\n'
        "[1]\n",
        "utf-8",
    )
    (tmp_path / "b.csv").write_text("id,question,answerable\n1,Maybe?,perhaps\n2,Right?\n3,a,true,extra\n", "utf-8")
    problem = mistakes(tmp_path, "a.jsonl", "b.csv")
    for expected in (
        "9 mistakes",
        "a.jsonl:2: it is no JSON object",
        "a.jsonl:4: unknown key 'answer'; known: id, question, expected",
        "a.jsonl:5: the question is empty",
        "a.jsonl:6: page of expected must be a number from 1",
        "a.jsonl:7: answers must be a list of texts",
        "a.jsonl:8: it is no JSON object",
        "b.csv:2: answerable is 'perhaps'",
        "b.csv:3: the same question, with other labels, is in a.jsonl:1",
        "b.csv:4: it has 4 cells and 3 columns",
    ):
        assert expected in problem


def test_the_line_of_a_csv_row_is_counted_across_cells_of_several_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('question,answers\nA?,"x\ny\nz"\n\nB?,1,2\n', "utf-8")
    assert "a.csv:6: it has 3 cells" in mistakes(tmp_path, "a.csv")


def test_unknown_columns_and_broken_quotes_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question,expected\nA?,x\n", "utf-8")
    assert "a.csv:1: unknown column 'expected'; known: id, question, expected_uris" in mistakes(tmp_path, "a.csv")
    (tmp_path / "b.csv").write_text('question,answers\nA?,"x\n', "utf-8")
    assert "b.csv:2" in mistakes(tmp_path, "b.csv")


def test_ids_and_questions_come_once_across_files(tmp_path: Path) -> None:
    lines(tmp_path / "a.jsonl", {"id": "x", "question": "One?"}, {"id": "y", "question": "Two?", "answers": ["2"]})
    lines(tmp_path / "b.jsonl", {"id": "x", "question": "Other?"}, {"id": "z", "question": "TWO?", "answers": ["3"]})
    problem = mistakes(tmp_path, "*.jsonl")
    assert "b.jsonl:1: the id 'x' is that of a.jsonl:1" in problem
    assert "b.jsonl:2: the same question, with other labels, is in a.jsonl:2; keep one" in problem


def test_patterns_that_find_nothing_and_files_that_hold_nothing(tmp_path: Path) -> None:
    assert "none/*.jsonl: no file matches" in mistakes(tmp_path, "none/*.jsonl")
    (tmp_path / "folder").mkdir()
    assert "folder: it is a folder" in mistakes(tmp_path, "folder")
    (tmp_path / "empty.jsonl").write_text("\n")
    assert "empty.jsonl: it holds no question" in mistakes(tmp_path, "empty.jsonl")
    (tmp_path / "notes.md").write_text("x")
    assert "notes.md: it is no file of questions" in mistakes(tmp_path, "notes.md")
    (tmp_path / "latin.jsonl").write_bytes('{"question": "groß"}'.encode("latin-1"))
    assert "latin.jsonl: it is not UTF-8 text" in mistakes(tmp_path, "latin.jsonl")


def test_a_file_counts_once_however_often_it_matches(tmp_path: Path) -> None:
    file = lines(tmp_path / "a[1].jsonl", {"question": "One?"})
    assert len(load(tmp_path, "a[1].jsonl", "*.jsonl", str(file), str(tmp_path / "*.jsonl"))) == 1


@pytest.mark.parametrize(("escape", "what"), [("\\ud800", "half of a pair of surrogates"), ("\\u0000", "NUL")])
@pytest.mark.parametrize(
    "line",
    [
        '{"id": "q", "question": "What?", "answers": ["a BAD b"]}',
        '{"id": "BAD", "question": "What?", "answers": ["a"]}',
        '{"question": "What BAD?", "answerable": false}',
        '{"question": "What?", "expected": [{"uri": "a.md", "heading": "BAD"}]}',
        '{"question": "What?", "expected_uris": ["BAD.md"]}',
        '{"question": "What?", "answers": ["a"], "tags": ["BAD"]}',
        '{"question": "What?", "answers": ["a"], "BAD": 1}',
    ],
)
def test_what_no_file_can_hold_is_a_mistake_with_its_line(tmp_path: Path, line: str, escape: str, what: str) -> None:
    fine = '{"question": "Fine \\ud83d\\ude00?", "answers": ["\\ud83d\\ude00"]}'  # a whole pair is a character
    (tmp_path / "golden.jsonl").write_text(f"{fine}\n{line.replace('BAD', escape)}\n", "utf-8")
    said = mistakes(tmp_path, "golden.jsonl")
    assert f"golden.jsonl:2: a text holds {escape}, {what}" in said
    said.encode()
    (tmp_path / "golden.jsonl").write_text(fine, "utf-8")
    assert load(tmp_path, "golden.jsonl")[0].answers == ("😀",)


def test_a_nul_in_csv_is_a_mistake_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "golden.csv").write_text("question,answers\nWhat?,yes\nWho?,a\0b\n", "utf-8")
    assert "golden.csv:3: a text holds \\u0000, NUL" in mistakes(tmp_path, "golden.csv")
