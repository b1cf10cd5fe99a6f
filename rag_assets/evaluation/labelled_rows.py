"""Labelled rows of JSON lines and CSV, as golden questions and training examples are written, with every mistake.

What a row means is up to the caller: it gives a function that makes a value of a row, or raises `ValueError` with what
is wrong. In CSV, lists are parted by " | " or by line breaks in the cell.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rag_assets.evaluation.model import Expected

PLACE_KEYS = ("uri", "source", "heading", "page")
DELIMITERS = ",;\t"
_BETWEEN = re.compile(r"\s\|\s|[\r\n]+")
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")
_TRUTH = {"": None, "true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Located(Generic[T]):
    """What a row means and where it stands, for people: `questions.jsonl:3`."""

    value: T
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


def rows_of_json_lines(
    text: str, name: str, make: Callable[[Mapping[str, Any]], T]
) -> tuple[list[Located[T]], list[Problem]]:
    """What the objects of JSON lines mean, and the mistakes; blank lines count for nothing."""
    found: list[Located[T]] = []
    problems = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{name}:{number}"
        try:
            values = json.loads(line)
            if not isinstance(values, Mapping):
                raise ValueError("it is no JSON object on one line")
            check_writable(values)
            found.append(Located(make(values), place))
        except json.JSONDecodeError as error:
            problems.append(Problem(place, f"it is no JSON object on one line: {error.msg} at column {error.colno}"))
        except ValueError as error:
            problems.append(Problem(place, str(error)))
        except RecursionError:
            problems.append(Problem(place, "it is nested too deeply"))
    return found, problems


def rows_of_csv(
    text: str, name: str, make: Callable[[Mapping[str, str]], T], *, columns: Sequence[str]
) -> tuple[list[Located[T]], list[Problem]]:
    """What the rows of a CSV file mean, and the mistakes. It has a header and is parted by comma, semicolon or tab.

    `columns` are those that a file may have; `question` it must have. A row lacks those that the file does not have.
    """
    header = text.lstrip("\r\n ").partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    named: list[str] = []
    found: list[Located[T]] = []
    problems = []
    start = 1
    try:
        for cells in reader:
            place, start = f"{name}:{start}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not named:
                named = [cell.strip() for cell in cells]
                _check_columns(named, columns)
                continue
            try:
                found.append(Located(make(_row(named, cells)), place))
            except ValueError as error:
                problems.append(Problem(place, str(error)))
    except (csv.Error, ValueError) as error:  # the rest of the file cannot be told apart any more
        problems.append(Problem(f"{name}:{max(reader.line_num, 1)}", str(error)))
    return found, problems


def _check_columns(named: Sequence[str], known: Sequence[str]) -> None:
    if unknown := [column for column in named if column not in known]:
        raise ValueError(f"unknown column {unknown[0]!r}; known: {', '.join(known)}")
    if "question" not in named:
        raise ValueError("it lacks the column 'question'")
    if len(set(named)) != len(named):
        raise ValueError("a column comes twice")


def _row(named: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    if len(cells) > len(named):
        raise ValueError(f"it has {len(cells)} cells and {len(named)} columns; put cells with commas in quotes")
    check_writable(cells)
    return dict(zip(named, cells, strict=False))


def truth_of_cell(cell: str) -> bool | None:
    """What `answerable` says in a cell; None where it is empty. Raises `ValueError`."""
    said = cell.strip().lower()
    if said not in _TRUTH:
        raise ValueError(f"answerable is {said!r}, and must be true, false or empty")
    return _TRUTH[said]


def list_of_cell(cell: str) -> list[str]:
    """The texts of a cell that holds a list."""
    return [part.strip() for part in _BETWEEN.split(cell) if part.strip()]


def check_keys(values: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raises `ValueError` for a key that is not among `known`."""
    if unknown := [key for key in values if key not in known]:
        raise ValueError(f"unknown key {unknown[0]!r}; known: {', '.join(known)}")


def question_of(values: Mapping[str, Any]) -> str:
    """What is asked. Raises `ValueError`."""
    if not isinstance(values.get("question"), str):
        raise ValueError("question must be given, as a text")
    return str(values["question"])


def truth_of(values: Mapping[str, Any]) -> bool | None:
    """What `answerable` says; None where it is not given. Raises `ValueError`."""
    said = values.get("answerable")
    if said is not None and not isinstance(said, bool):
        raise ValueError("answerable must be true or false")
    return said


def texts_of(values: Mapping[str, Any], key: str) -> list[str]:
    """The list of texts under `key`, empty where there is none. Raises `ValueError`."""
    found = values.get(key, [])
    if not isinstance(found, list) or not all(isinstance(text, str) and text.strip() for text in found):
        raise ValueError(f"{key} must be a list of texts")
    return found


def places_of(values: Mapping[str, Any]) -> list[Expected]:
    """The places under `expected` and `expected_uris`. Raises `ValueError`."""
    places = values.get("expected", [])
    if not isinstance(places, list):
        raise ValueError("expected must be a list of objects with a uri")
    return [*map(_place, places), *map(Expected, texts_of(values, "expected_uris"))]


def _place(values: Any) -> Expected:
    if not isinstance(values, Mapping):
        raise ValueError("each of expected must be an object with a uri; plain texts belong into expected_uris")
    check_keys(values, PLACE_KEYS)
    for key in ("uri", "source", "heading"):
        given = values.get(key)
        if (given is not None and not isinstance(given, str)) or given == "" or (key == "uri" and given is None):
            raise ValueError(f"{key} of expected must be a text")
    page = values.get("page")
    if page is not None and (isinstance(page, bool) or not isinstance(page, int) or page < 1):
        raise ValueError("page of expected must be a number from 1")
    return Expected(values["uri"], values.get("source") or "", values.get("heading"), page)
