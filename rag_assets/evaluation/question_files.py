"""Golden questions from the files of a project: JSON lines, CSV, or the JSON format of SQuAD.

Every mistake of every file is reported at once, by file and line, and nothing is loaded unless all of it is right.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from rag_assets.errors import QuestionsError
from rag_assets.evaluation.labelled_files import described, matching_files, shown, text_of
from rag_assets.evaluation.labelled_rows import Problem
from rag_assets.evaluation.model import GoldenQuestion
from rag_assets.evaluation.question_rows import Placed, from_csv, from_json_lines
from rag_assets.evaluation.questions import normalised
from rag_assets.evaluation.squad import DocumentText, from_squad, is_squad

__all__ = ["DocumentText", "load_questions", "question_files"]

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv")


def load_questions(
    patterns: Sequence[str], root: Path, *, documents: Callable[[], Sequence[DocumentText]]
) -> list[GoldenQuestion]:
    """The questions of all files that match `patterns`, in the order of patterns, names and lines.

    Relative patterns start at `root`. `documents` is asked at most once, and only for a SQuAD file that does not name
    the documents of its paragraphs. Raises `QuestionsError` with every mistake there is.
    """
    texts: list[Sequence[DocumentText]] = []

    def remembered() -> Sequence[DocumentText]:
        if not texts:
            texts.append(documents())
        return texts[0]

    placed: list[Placed] = []
    problems: list[Problem] = []
    for file in question_files(patterns, root):
        name = shown(file, root)
        found, wrong = _read(file, name, remembered)
        if not found and not wrong:
            wrong = [Problem(name, "it holds no question")]
        placed += found
        problems += wrong
    problems += _repeated(placed)
    if problems:
        raise _error(problems)
    return [each.value for each in placed]


def question_files(patterns: Sequence[str], root: Path) -> list[Path]:
    """The files that match, each once. Raises `QuestionsError` for a pattern without any, and for another format."""
    files, problems = matching_files(patterns, root, SUFFIXES, what="questions")
    if problems:
        raise _error(problems)
    return files


def _read(file: Path, name: str, documents: Callable[[], Sequence[DocumentText]]) -> tuple[list[Placed], list[Problem]]:
    text, problems = text_of(file, name)
    if problems:
        return [], problems
    if file.suffix.lower() == ".csv":
        return from_csv(text, name)
    try:
        whole = json.loads(text)
    except ValueError:  # several lines are not one JSON value
        whole = None
    except RecursionError:
        return [], [Problem(name, "it is nested too deeply")]
    return from_squad(whole, name, documents) if is_squad(whole) else from_json_lines(text, name)


def _repeated(placed: Sequence[Placed]) -> list[Problem]:
    """Ids and questions that come twice: results could not be told apart, or one of two labels must be wrong."""
    ids: dict[str, str] = {}
    asked: dict[str, Placed] = {}
    problems = []
    for each in placed:
        question = each.value
        if question.question_id in ids:
            problems.append(
                Problem(each.place, f"the id {question.question_id!r} is that of {ids[question.question_id]}")
            )
            continue
        ids[question.question_id] = each.place
        first = asked.setdefault(normalised(question.question), each)
        if first is not each:
            same = first.value.question_hash == question.question_hash
            how = "the same question" if same else "the same question, with other labels,"
            problems.append(Problem(each.place, f"{how} is in {first.place}; keep one"))
    return problems


def _error(problems: Sequence[Problem]) -> QuestionsError:
    return QuestionsError(
        f"The golden questions have {described(problems)}.",
        fix="Correct the files, or name others in evaluation.questions.",
    )
