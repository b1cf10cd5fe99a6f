"""Answers that people rated good, as examples.

Of each person the newest rating of an answer counts. An answer is an example when somebody holds it good and nobody
holds it bad: whom two people disagree about is no model. Of several good answers to one question the newest is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rag_assets.evaluation.model import Expected
from rag_assets.evaluation.questions import normalised
from rag_assets.ledger import Answer, Ledger, Rating
from rag_assets.tuning.examples.model import Example, distinct


def rated_examples(ledger: Ledger, *, set_name: str, closed_book: bool = False) -> list[Example]:
    """The answers that stand as good, by what they were asked; quotes and places are those of their citations."""
    newest: dict[str, Answer] = {}
    for answer_id in good_answers(ledger.ratings()):
        answer = ledger.answer(answer_id)
        if answer is None or (answer.answerable and not answer.citations):
            continue
        before = newest.get(normalised(answer.question))
        if before is None or (before.created_at, before.answer_id) < (answer.created_at, answer.answer_id):
            newest[normalised(answer.question)] = answer
    return [_example(newest[asked], set_name, closed_book) for asked in sorted(newest)]


def good_answers(ratings: Sequence[Rating]) -> list[str]:
    """The ids of the answers that somebody holds good and nobody bad. `ratings` are newest first."""
    held: dict[tuple[str, str], str] = {}
    for rating in ratings:
        held.setdefault((rating.answer_id, rating.rated_by), rating.rating)
    good = {answer_id for (answer_id, _), opinion in held.items() if opinion == "good"}
    return sorted(good - {answer_id for (answer_id, _), opinion in held.items() if opinion == "bad"})


def _example(answer: Answer, set_name: str, closed_book: bool) -> Example:
    citations = answer.citations if answer.answerable else []
    return Example(
        example_set=set_name,
        kind="ratings",
        origin=f"answer:{answer.answer_id}",
        prompt=answer.question,
        answer=answer.answer if answer.answerable else "",
        quotes=distinct(quote for citation in citations for quote in _quotes(citation)),
        expected=tuple(dict.fromkeys(Expected(citation["uri"], citation["source"]) for citation in citations)),
        answerable=answer.answerable,
        closed_book=closed_book,
    )


def _quotes(citation: dict[str, Any]) -> list[str]:
    return list(citation.get("quotes") or [citation["quote"]])
