"""Questions and answers from rows: JSON lines, and CSV with the same keys as columns.

    {"question": "…", "answer": "…", "accepted": ["…"], "expected_uris": ["handbook/crash-safety.md"]}
    {"question": "…", "quotes": ["…"], "expected": [{"uri": "limits.rst", "source": "reference"}]}
    {"question": "…", "answerable": false}

`answer` is what a model that writes is to say, `accepted` are pieces of text of which the right passage holds one, and
`quotes` its own sentences, word for word, all of which belong to the answer. Any of the three is enough. In CSV, lists
are parted by " | " or by line breaks in the cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag_assets.config import ExampleSetSettings
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
from rag_assets.evaluation.model import Expected
from rag_assets.tuning.examples.model import Example, distinct

COLUMNS = ("question", "answer", "accepted", "quotes", "expected_uris", "answerable")
KEYS = ("question", "answer", "accepted", "quotes", "expected", "expected_uris", "answerable")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a row says. `answerable` None: it does not say whether there is an answer."""

    question: str
    answer: str
    accepted: tuple[str, ...]
    quotes: tuple[str, ...]
    expected: tuple[Expected, ...]
    answerable: bool | None


def question_examples(
    text: str, place: str, suffix: str, *, set_name: str, settings: ExampleSetSettings
) -> tuple[list[Example], list[Problem]]:
    """The examples and the mistakes of one file, by its suffix JSON lines or CSV. `place` is its name for people."""
    rows: tuple[list[Located[Draft]], list[Problem]]
    if suffix == ".csv":
        rows = rows_of_csv(text, place, _from_cells, columns=COLUMNS)
    else:
        rows = rows_of_json_lines(text, place, _from_values)
    found, problems = rows
    examples = []
    for row in found:
        try:
            examples.append(_example(row.value, row.place, set_name, settings))
        except ValueError as error:
            problems.append(Problem(row.place, str(error)))
    return examples, problems


def _from_cells(row: Mapping[str, str]) -> Draft:
    return Draft(
        question=row.get("question", "").strip(),
        answer=row.get("answer", "").strip(),
        accepted=distinct(list_of_cell(row.get("accepted", ""))),
        quotes=distinct(list_of_cell(row.get("quotes", ""))),
        expected=tuple(dict.fromkeys(map(Expected, list_of_cell(row.get("expected_uris", ""))))),
        answerable=truth_of_cell(row.get("answerable", "")),
    )


def _from_values(values: Mapping[str, Any]) -> Draft:
    check_keys(values, KEYS)
    answer = values.get("answer", "")
    if not isinstance(answer, str):
        raise ValueError("answer must be a text")
    return Draft(
        question=question_of(values).strip(),
        answer=answer.strip(),
        accepted=distinct(texts_of(values, "accepted")),
        quotes=distinct(texts_of(values, "quotes")),
        expected=tuple(dict.fromkeys(places_of(values))),
        answerable=truth_of(values),
    )


def _example(draft: Draft, place: str, set_name: str, settings: ExampleSetSettings) -> Example:
    if not draft.question:
        raise ValueError("the question is empty")
    known = bool(draft.answer or draft.accepted or draft.quotes)
    if draft.answerable is False and (known or draft.expected):
        raise ValueError("it is said to be unanswerable, but has an answer or expected documents")
    if draft.answerable is not False and not known:
        raise ValueError("it has no answer: give answer, accepted or quotes, or say that answerable is false")
    if settings.closed_book and draft.answerable is not False and not draft.answer:
        raise ValueError("a set that is closed_book needs the answer itself")
    return Example(
        example_set=set_name,
        kind="questions",
        origin=place,
        prompt=draft.question,
        answer=draft.answer,
        accepted=draft.accepted,
        quotes=draft.quotes,
        expected=draft.expected,
        answerable=draft.answerable is not False,
        closed_book=settings.closed_book,
    )
