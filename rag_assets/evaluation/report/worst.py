"""The questions that went worst, each with what was expected, what was found and what was said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag_assets.evaluation.compare import score_changes
from rag_assets.evaluation.gate import Baseline
from rag_assets.evaluation.model import Evaluation, Expected, GoldenQuestion, ItemResult, Retrieved
from rag_assets.evaluation.report import figures

TEXT_CHARACTERS = 1_200
NOT_SHOWN = "(not shown: restricted)"
"""Stands for text of a document that not everyone may read, or that was revoked."""
Hidden = Callable[[str, str], bool]
"""Whether no text of the document may be shown, by its source and its uri."""
SUCCESS_METRICS = (
    "mrr_at_10", "answer_contains", "refusal_precision", "refusal_recall", "citation_correctness", "judge",
)  # fmt: skip
"""A question is a bad one by the mean of these and of the primary metric, as far as it has them."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One retrieved passage."""

    rank: int
    relevant: bool
    place: str
    score: str


@dataclass(frozen=True, slots=True)
class Citation:
    """One citation of the answer."""

    mark: str
    place: str
    quote: str


@dataclass(frozen=True, slots=True)
class BadQuestion:
    """One question, with texts already cut to what a page can show."""

    question_id: str
    question: str
    tags: tuple[str, ...]
    problem: str
    expected: tuple[str, ...]
    accepted: tuple[str, ...]
    answerable: bool
    answer: str
    refused: bool
    error: str
    retrieved: tuple[Passage, ...]
    citations: tuple[Citation, ...]
    scores: tuple[tuple[str, str], ...]
    change: str


def worst_questions(
    evaluation: Evaluation,
    questions: Sequence[GoldenQuestion],
    baseline: Baseline | None,
    primary_metric: str,
    limit: int,
    hidden: Hidden = lambda source, uri: False,
) -> list[BadQuestion]:
    """At most `limit` questions that did not go perfectly: by how many of their scores failed, then loss, then id.

    Of documents that are `hidden` only the place is shown, and of answers from them nothing.
    """
    by_hash = {question.question_hash: question for question in questions}
    change = (
        {one.question_id: one for one in score_changes(baseline.evaluation, evaluation, primary_metric)}
        if baseline
        else {}
    )
    judged = {
        item.question_id: success
        for item in evaluation.items
        if item.question_id not in evaluation.orphaned and (success := _success(item, primary_metric)) < 1
    }
    found = sorted(
        (item for item in evaluation.items if item.question_id in judged),
        key=lambda item: (
            judged[item.question_id],
            change[item.question_id].change if item.question_id in change else 0.0,
            item.question_id,
        ),
    )
    made = []
    for item in found[:limit]:
        before = change.get(item.question_id)
        moved = f"{figures.label_of(primary_metric).label} was {before.before:.3f}" if before else ""
        made.append(_bad_question(item, by_hash.get(item.question_hash), moved, hidden))
    return made


def _success(item: ItemResult, primary_metric: str) -> float:
    if item.error:
        return -1.0
    scores = [item.scores[name] for name in {primary_metric, *SUCCESS_METRICS} if name in item.scores]
    return sum(scores) / len(scores) if scores else 1.0


def _bad_question(item: ItemResult, question: GoldenQuestion | None, change: str, hidden: Hidden) -> BadQuestion:
    return BadQuestion(
        question_id=item.question_id,
        question=_cut(item.question),
        tags=item.tags,
        problem=_problem(item, question),
        expected=tuple(_expected(one) for one in question.expected) if question else (),
        accepted=tuple(_cut(one) for one in question.answers) if question else (),
        answerable=item.answerable,
        answer=NOT_SHOWN if tells_hidden(item, hidden) else _cut(item.answer),
        refused=item.refused,
        error=item.error or "",
        retrieved=tuple(
            Passage(rank, one.relevant, _place(one, hidden), f"{one.score:.3f}")
            for rank, one in enumerate(item.retrieved, 1)
        ),
        citations=tuple(_citation(one, hidden) for one in item.citations),
        scores=tuple(
            (figures.label_of(name).label, figures.figure(name, item.scores[name]))
            for name in [*figures.LABELS, *sorted(item.scores.keys() - figures.LABELS.keys())]
            if name in item.scores
        ),
        change=change,
    )


def tells_hidden(item: ItemResult, hidden: Hidden) -> bool:
    """Whether the answer may hold text of a hidden document: it cites one, or cites nothing and was given one."""
    if item.refused or not item.answer:
        return False
    cited = [(str(one.get("source", "")), str(one.get("uri", ""))) for one in item.citations]
    return any(hidden(*place) for place in cited or [(one.source, one.uri) for one in item.retrieved])


def _citation(values: Mapping[str, Any], hidden: Hidden) -> Citation:
    source, uri = str(values.get("source", "")), str(values.get("uri", ""))
    quote = NOT_SHOWN if hidden(source, uri) else _cut(str(values.get("quote", "")))
    return Citation(str(values.get("n", "")), f"{source}/{uri}", quote)


def _problem(item: ItemResult, question: GoldenQuestion | None) -> str:
    """What went wrong, in a few words."""
    if item.error:
        return "error"
    if not item.answerable:
        return "answered, and should be refused" if not item.refused else "refused, as it should be"
    rank = next((rank for rank, one in enumerate(item.retrieved, 1) if one.relevant), None)
    expected = question is None or bool(question.expected)
    found = "" if not expected else f"found at rank {rank}" if rank else f"not among the {len(item.retrieved)} found"
    if item.refused:
        said = "refused"
    elif item.scores.get("answer_contains", 1) < 1 or item.scores.get("judge", 1) < 1:
        said = "wrong answer"
    elif item.scores.get("citation_correctness", 1) < 1:
        said = "citations do not hold"
    else:
        said = ""
    return ", ".join(part for part in (found, said) if part)


def _expected(place: Expected) -> str:
    where = f"{place.source}/{place.uri}" if place.source else place.uri
    heading = f" › {place.heading}" if place.heading else ""
    return where + heading + (f", page {place.page}" if place.page is not None else "")


def _place(passage: Retrieved, hidden: Hidden) -> str:
    if hidden(passage.source, passage.uri):  # headings are text of the document too
        return f"{passage.source}/{passage.uri}"
    where = " › ".join([f"{passage.source}/{passage.uri}", *passage.heading_path])
    return where + (f", page {passage.page}" if passage.page is not None else "")


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARACTERS else text[: TEXT_CHARACTERS - 1] + "…"
