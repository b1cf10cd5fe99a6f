"""Golden questions from the format of SQuAD 1.1 and 2.0 (Rajpurkar et al., 2016 and 2018).

The expected document is the one that holds the paragraph's `context`, whatever white space lies between its words, or
the one that the paragraph names: `"uri": "…"` or `"document": "…"` beside `context`. A paragraph that no document
holds gives questions that expect `squad_place`, which no source has: an evaluation reports them as orphaned.

Datasets of this format do ask a question twice. Equal questions of one file become one, under the first id, with the
documents and answers of all; it is answerable when one of them is.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag_assets.evaluation.labelled_rows import Located, Problem, check_writable
from rag_assets.evaluation.model import Expected
from rag_assets.evaluation.question_rows import Placed
from rag_assets.evaluation.questions import make_question, normalised

UNPLACED = "no-document-holds:"
"""How the uri of an expected document begins where a paragraph stands in none; what follows are its first words."""
KEY_CHARACTERS = 32
"""Contexts are looked up by their beginning; one that is shorter is looked for in every document."""
_STARTS = re.compile(r"(?<!\w)\S|(?<=\w)[^\w\s]")


@dataclass(frozen=True, slots=True)
class DocumentText:
    """The text of a stored document."""

    source: str
    uri: str
    text: str


@dataclass(slots=True)
class _Asked:
    """One question of a file, with what all its occurrences say."""

    question_id: str
    question: str
    place: str
    contexts: list[str]
    expected: list[Expected]
    answers: list[str]


def is_squad(value: Any) -> bool:
    """Whether a JSON value has the outer form of SQuAD."""
    return isinstance(value, Mapping) and isinstance(value.get("data"), list)


def from_squad(
    value: Mapping[str, Any], name: str, documents: Callable[[], Sequence[DocumentText]]
) -> tuple[list[Placed], list[Problem]]:
    """The questions and the mistakes of one file. `documents` is asked only where a paragraph names no document."""
    asked: dict[str, _Asked] = {}
    problems: list[Problem] = []
    for article_number, article in enumerate(value["data"], start=1):
        paragraphs = article.get("paragraphs") if isinstance(article, Mapping) else None
        if not isinstance(paragraphs, list):
            problems.append(Problem(f"{name}, article {article_number}", "it lacks the list 'paragraphs'"))
            continue
        for number, paragraph in enumerate(paragraphs, start=1):
            place = f"{name}, article {article_number}, paragraph {number}"
            try:
                _collect(paragraph, place, asked, problems)
            except ValueError as error:
                problems.append(Problem(place, str(error)))
    wanted = {context for each in asked.values() for context in each.contexts}
    found = find_contexts(wanted, documents()) if wanted else {}
    placed = []
    for each in asked.values():
        places = [spot for context in each.contexts for spot in found[context] or [unplaced(context)]]
        # What is unanswerable says nothing about documents; the paragraph beside it only looks like an answer.
        question = make_question(
            each.question_id, each.question, expected=[*each.expected, *places], answers=each.answers
        )
        placed.append(Located(question, each.place))
    return placed, problems


def unplaced(context: str) -> Expected:
    """What a question expects whose paragraph stands in no document."""
    words = " ".join(context.split())
    return Expected(f"{UNPLACED} {words[:80]}{'…' if len(words) > 80 else ''}")


def find_contexts(contexts: set[str], documents: Sequence[DocumentText]) -> dict[str, list[Expected]]:
    """Context → the documents that hold it, white space aside, sorted.

    One pass over the documents: at each beginning of a word, its next characters are looked up among the contexts'.
    """
    flat = {context: _flat(context) for context in contexts}
    by_key: dict[str, list[str]] = defaultdict(list)
    short = [context for context, words in flat.items() if len(words) < KEY_CHARACTERS]
    for context, words in flat.items():
        if len(words) >= KEY_CHARACTERS:
            by_key[words[:KEY_CHARACTERS]].append(context)
    found: dict[str, set[tuple[str, str]]] = {context: set() for context in contexts}
    for document in documents:
        text, at = _flat(document.text), (document.source, document.uri)
        for start in (match.start() for match in _STARTS.finditer(text)):
            for context in by_key.get(text[start : start + KEY_CHARACTERS], ()):
                if text.startswith(flat[context], start):
                    found[context].add(at)
        for context in short:
            if flat[context] and flat[context] in text:
                found[context].add(at)
    return {context: [Expected(uri, source) for source, uri in sorted(spots)] for context, spots in found.items()}


def _flat(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _collect(paragraph: Any, place: str, asked: dict[str, _Asked], problems: list[Problem]) -> None:
    """Adds the questions of one paragraph to `asked`. Raises `ValueError` for a paragraph that is none."""
    if not isinstance(paragraph, Mapping) or not isinstance(paragraph.get("qas"), list):
        raise ValueError("it lacks the list 'qas'")
    named = paragraph.get("uri") or paragraph.get("document")
    context = paragraph.get("context")
    if named is not None and not isinstance(named, str):
        raise ValueError("its uri must be a text")
    if not named and not (isinstance(context, str) and context.strip()):
        raise ValueError("it has neither a 'context' nor a 'uri'")
    check_writable(named or context)
    for entry in paragraph["qas"]:
        try:
            question_id, question, answers, impossible = _entry(entry)
        except ValueError as error:
            problems.append(Problem(place, str(error)))
            continue
        each = asked.setdefault(
            normalised(question), _Asked(question_id, question, f"{place}, {question_id}", [], [], [])
        )
        if not impossible:
            each.answers += answers
            if named:
                each.expected.append(Expected(named))
            else:
                each.contexts.append(str(context))


def _entry(entry: Any) -> tuple[str, str, list[str], bool]:
    """Id, question, accepted answers and whether it cannot be answered. Raises `ValueError`."""
    if not isinstance(entry, Mapping):
        raise ValueError("each of 'qas' must be an object")
    question_id, question, answers = entry.get("id"), entry.get("question"), entry.get("answers", [])
    if isinstance(question_id, bool) or not isinstance(question_id, str | int) or not str(question_id).strip():
        raise ValueError("a question lacks its id")
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f"the question {question_id!r} has no words")
    texts = [answer.get("text") if isinstance(answer, Mapping) else None for answer in answers or []]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"the answers of {question_id!r} must be objects with a 'text'")
    check_writable([str(question_id), question, *texts])
    return str(question_id), question, [str(text) for text in texts], bool(entry.get("is_impossible", False))
