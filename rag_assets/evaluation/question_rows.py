"""Golden questions from rows: JSON lines, and CSV with the same keys as columns.

    {"id": "…", "question": "…", "expected_uris": ["handbook/crash-safety.md"], "answers": ["…"], "tags": ["…"]}
    {"question": "…", "expected": [{"uri": "limits.rst", "source": "reference", "heading": "Tokens"}]}
    {"question": "…", "answerable": false}

In CSV, lists are parted by " | " or by line breaks in the cell.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag_assets.evaluation.model import Expected, GoldenQuestion
from rag_assets.evaluation.questions import make_question

COLUMNS = ("id", "question", "expected_uris", "answers", "answerable", "tags")
KEYS = ("id", "question", "expected", "expected_uris", "answers", "answerable", "tags")
PLACE_KEYS = ("uri", "source", "heading", "page")
DELIMITERS = ",;\t"
_BETWEEN = re.compile(r"\s\|\s|[\r\n]+")
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")
_TRUTH = {"": None, "true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Placed:
    """A question and where it stands, for people: `questions.jsonl:3`."""

    question: GoldenQuestion
    place: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake in a file, and where."""

    place: str
    what: str


def check_writable(value: Any) -> None:
    """Raises `ValueError` where a text anywhere in a JSON value holds what no file and no database can hold.

    JSON can write a NUL and half of a pair of surrogates, as in `"\\ud800"`; neither is a character of any text.
    """
    if isinstance(value, str):
        if found := _UNWRITABLE.search(value):
            what = "NUL" if found[0] == "\0" else "half of a pair of surrogates"
            raise ValueError(f"a text holds \\u{ord(found[0]):04x}, {what}, which is no character; remove it")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            check_writable(key)
            check_writable(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            check_writable(inner)


def from_json_lines(text: str, name: str) -> tuple[list[Placed], list[Problem]]:
    """The questions and the mistakes of JSON lines; blank lines count for nothing."""
    placed, problems = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{name}:{number}"
        try:
            placed.append(Placed(_from_values(json.loads(line)), place))
        except json.JSONDecodeError as error:
            problems.append(Problem(place, f"it is no JSON object on one line: {error.msg} at column {error.colno}"))
        except ValueError as error:
            problems.append(Problem(place, str(error)))
        except RecursionError:
            problems.append(Problem(place, "it is nested too deeply"))
    return placed, problems


def from_csv(text: str, name: str) -> tuple[list[Placed], list[Problem]]:
    """The questions and the mistakes of a CSV file with a header; parted by comma, semicolon or tab."""
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    placed, problems = [], []
    start = 1
    try:
        for cells in reader:
            place, start = f"{name}:{start}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = [cell.strip() for cell in cells]
                _check_columns(columns)
                continue
            try:
                placed.append(Placed(_from_cells(columns, cells), place))
            except ValueError as error:
                problems.append(Problem(place, str(error)))
    except (csv.Error, ValueError) as error:  # the rest of the file cannot be told apart any more
        problems.append(Problem(f"{name}:{max(reader.line_num, 1)}", str(error)))
    return placed, problems


def _check_columns(columns: list[str]) -> None:
    if unknown := [column for column in columns if column not in COLUMNS]:
        raise ValueError(f"unknown column {unknown[0]!r}; known: {', '.join(COLUMNS)}")
    if "question" not in columns:
        raise ValueError("it lacks the column 'question'")
    if len(set(columns)) != len(columns):
        raise ValueError("a column comes twice")


def _from_cells(columns: list[str], cells: list[str]) -> GoldenQuestion:
    if len(cells) > len(columns):
        raise ValueError(f"it has {len(cells)} cells and {len(columns)} columns; put cells with commas in quotes")
    check_writable(cells)
    row = dict(zip(columns, cells, strict=False))
    said = row.get("answerable", "").strip().lower()
    if said not in _TRUTH:
        raise ValueError(f"answerable is {said!r}, and must be true, false or empty")
    return make_question(
        row.get("id", ""),
        row.get("question", ""),
        expected=[Expected(uri.strip()) for uri in _BETWEEN.split(row.get("expected_uris", "")) if uri.strip()],
        answers=_BETWEEN.split(row.get("answers", "")),
        answerable=_TRUTH[said],
        tags=_BETWEEN.split(row.get("tags", "")),
    )


def _from_values(values: Any) -> GoldenQuestion:
    if not isinstance(values, Mapping):
        raise ValueError("it is no JSON object on one line")
    check_writable(values)
    _check_keys(values, KEYS)
    question_id = values.get("id", "")
    if isinstance(question_id, bool) or not isinstance(question_id, str | int):
        raise ValueError("id must be a text")
    if not isinstance(values.get("question"), str):
        raise ValueError("question must be given, as a text")
    answerable = values.get("answerable")
    if answerable is not None and not isinstance(answerable, bool):
        raise ValueError("answerable must be true or false")
    places = values.get("expected", [])
    if not isinstance(places, list):
        raise ValueError("expected must be a list of objects with a uri")
    return make_question(
        str(question_id),
        values["question"],
        expected=[*map(_place, places), *map(Expected, _texts(values, "expected_uris"))],
        answers=_texts(values, "answers"),
        answerable=answerable,
        tags=_texts(values, "tags"),
    )


def _place(values: Any) -> Expected:
    if not isinstance(values, Mapping):
        raise ValueError("each of expected must be an object with a uri; plain texts belong into expected_uris")
    _check_keys(values, PLACE_KEYS)
    for key in ("uri", "source", "heading"):
        given = values.get(key)
        if (given is not None and not isinstance(given, str)) or given == "" or (key == "uri" and given is None):
            raise ValueError(f"{key} of expected must be a text")
    page = values.get("page")
    if page is not None and (isinstance(page, bool) or not isinstance(page, int) or page < 1):
        raise ValueError("page of expected must be a number from 1")
    return Expected(values["uri"], values.get("source") or "", values.get("heading"), page)


def _check_keys(values: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if unknown := [key for key in values if key not in known]:
        raise ValueError(f"unknown key {unknown[0]!r}; known: {', '.join(known)}")


def _texts(values: Mapping[str, Any], key: str) -> list[str]:
    found = values.get(key, [])
    if not isinstance(found, list) or not all(isinstance(text, str) and text.strip() for text in found):
        raise ValueError(f"{key} must be a list of texts")
    return found
