"""Golden questions from rows: JSON lines, and CSV with the same keys as columns.

    {"id": "…", "question": "…", "expected_uris": ["handbook/crash-safety.md"], "answers": ["…"], "tags": ["…"]}
    {"question": "…", "expected": [{"uri": "limits.rst", "source": "reference", "heading": "Tokens"}]}
    {"question": "…", "answerable": false}

In CSV, lists are parted by " | " or by line breaks in the cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rag_assets.evaluation.labelled_rows import (
    Located,
    Problem,
    check_keys,
    list_of_cell,
    places_of,
    question_of,
    rows_of_csv,
    rows_of_json_lines,
    texts_of,
    truth_of,
    truth_of_cell,
)
from rag_assets.evaluation.model import Expected, GoldenQuestion
from rag_assets.evaluation.questions import make_question

COLUMNS = ("id", "question", "expected_uris", "answers", "answerable", "tags")
KEYS = ("id", "question", "expected", "expected_uris", "answers", "answerable", "tags")

Placed = Located[GoldenQuestion]
"""A question and where it stands."""


def from_json_lines(text: str, name: str) -> tuple[list[Placed], list[Problem]]:
    """The questions and the mistakes of JSON lines; blank lines count for nothing."""
    return rows_of_json_lines(text, name, _from_values)


def from_csv(text: str, name: str) -> tuple[list[Placed], list[Problem]]:
    """The questions and the mistakes of a CSV file with a header; parted by comma, semicolon or tab."""
    return rows_of_csv(text, name, _from_cells, columns=COLUMNS)


def _from_cells(row: Mapping[str, str]) -> GoldenQuestion:
    return make_question(
        row.get("id", ""),
        row.get("question", ""),
        expected=map(Expected, list_of_cell(row.get("expected_uris", ""))),
        answers=list_of_cell(row.get("answers", "")),
        answerable=truth_of_cell(row.get("answerable", "")),
        tags=list_of_cell(row.get("tags", "")),
    )


def _from_values(values: Mapping[str, Any]) -> GoldenQuestion:
    check_keys(values, KEYS)
    question_id = values.get("id", "")
    if isinstance(question_id, bool) or not isinstance(question_id, str | int):
        raise ValueError("id must be a text")
    return make_question(
        str(question_id),
        question_of(values),
        expected=places_of(values),
        answers=texts_of(values, "answers"),
        answerable=truth_of(values),
        tags=texts_of(values, "tags"),
    )
