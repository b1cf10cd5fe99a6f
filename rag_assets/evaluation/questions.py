"""A golden question as a value: how it is named, and which split it belongs to.

The split hangs on the words of the question alone, so that it is the same in every project and never moves while other
questions come and go. What a person tunes by is `train`, what they choose by is `validation`, and the gate judges by
questions that neither has seen.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import asdict

from rag_assets.evaluation.model import Expected, GoldenQuestion, Split
from rag_assets.fingerprints import fingerprint, sha256_hex

SPLIT_SHARES: tuple[tuple[Split, float], ...] = (("train", 0.25), ("validation", 0.15), ("gate", 0.60))
DERIVED_ID_LENGTH = 12


def normalised(text: str) -> str:
    """`text` as two questions are compared: compatible forms, case and white space count for nothing. Idempotent."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def split_of(question: str) -> Split:
    """The split of a question by its words: equal questions, also in another case or spacing, have an equal split."""
    point = int(sha256_hex(normalised(question))[:16], 16) / 16**16
    reached = 0.0
    for split, share in SPLIT_SHARES[:-1]:
        reached += share
        if point < reached:
            return split
    return SPLIT_SHARES[-1][0]


def make_question(
    question_id: str,
    question: str,
    *,
    expected: Iterable[Expected] = (),
    answers: Iterable[str] = (),
    answerable: bool | None = None,
    tags: Iterable[str] = (),
) -> GoldenQuestion:
    """A golden question with its split and hash.

    An empty `question_id` is derived from the question's words. `answerable` None: it is when anything is expected or
    accepted. Places, answers and tags that come twice are kept once; blank answers and tags are dropped. Tags are no
    part of the hash, for they change nothing that is asked. Raises `ValueError` for a blank question, for one that
    expects something and is not answerable, and for one that is answerable by nothing that is known.
    """
    asked = question.strip()
    if not asked:
        raise ValueError("the question is empty")
    places, accepted = tuple(dict.fromkeys(expected)), _distinct(answers)
    known = bool(places or accepted)
    can_be_answered = known if answerable is None else answerable
    if known and not can_be_answered:
        raise ValueError("it is said to be unanswerable, but has expected documents or answers")
    if can_be_answered and not known:
        raise ValueError("it is said to be answerable, but has neither expected documents nor answers")
    content = {
        "question": " ".join(asked.split()),
        "expected": sorted((asdict(place) for place in places), key=str),
        "answers": sorted(accepted),
        "answerable": can_be_answered,
    }
    return GoldenQuestion(
        question_id=question_id.strip() or sha256_hex(normalised(asked))[:DERIVED_ID_LENGTH],
        question=asked,
        expected=places,
        answers=accepted,
        answerable=can_be_answered,
        tags=_distinct(tags),
        split=split_of(asked),
        question_hash=fingerprint(**content),
    )


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))
