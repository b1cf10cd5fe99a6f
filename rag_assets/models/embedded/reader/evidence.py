"""What a passage says about a question, measured once per clause, so that any run of clauses can be scored from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rag_assets.models.embedded.reader.question import Question
from rag_assets.models.embedded.reader.sentences import Unit, clauses, units
from rag_assets.models.embedded.reader.vectors import Floats, Integers, Vectors
from rag_assets.models.embedded.reader.words import Word, words

Booleans = NDArray[np.bool_]

# Signs that a clause has the kind of answer that `Question.asks` names, in the order of the rows of `Evidence.signs`.
SIGNS = ("person", "date", "place", "number", "reason", "manner", "definition")

_PLACE = re.compile(r"\b(?:in|at|near|from|to|of|on|through|across|between)\s+(?:the\s+)?(?:\w+ern\s+)?(?=[A-Z])")
_REASON = re.compile(
    r"\b(?:because|due to|so that|in order to|since|owing|caused?|therefore|thus|as a result|reason|to avoid)\b", re.I
)
_MANNER = re.compile(r"\b(?:by|through|using|via|with|without|as an?|called|means of)\b", re.I)
_DEFINITION = re.compile(
    r"\b(?:is|are|was|were)\s+(?:an?|the|any|one|those)\b|\b(?:means|refers? to|known as|called|defined)\b", re.I
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One passage against one question. The last axis of each array is the clause, in text order.

    `unit_of` [clauses]: the index in `units` of the unit that the clause is part of.
    `nearest` [question tokens, clauses]: the best cosine of a question token among the clause's tokens, read in the
        context of the whole passage (late interaction, as in ColBERT: https://arxiv.org/abs/2004.12832).
    `said` [question words, clauses]: whether the clause has a word of that stem.
    `sums` [d, clauses]: sum of the clause's token vectors.
    `signs` [len(SIGNS), clauses]: whether the clause has such a sign in words that the question does not have.
    `lengths` [clauses]: words between white space.
    """

    text: str
    units: tuple[Unit, ...]
    clauses: tuple[tuple[int, int], ...]
    unit_of: Integers
    nearest: Floats
    said: Booleans
    sums: Floats
    signs: Booleans
    lengths: Integers


def gather(
    question: Question, asked: Vectors, text: str, vectors: Vectors, *, most_words: int, title: str = ""
) -> Evidence | None:
    """Measures one passage, or None where it has nothing to quote; no clause has more than `most_words` words.

    What repeats a part of `title` ("Handbook > Releases") is a heading, also where no mark in the text says so.
    """
    headings = {_bare(part) for part in title.split(" > ")}
    quotable = tuple(
        unit for unit in units(text) if unit.kind != "heading" and _bare(text[unit.start : unit.end]) not in headings
    )
    if not quotable or not len(vectors.ids):
        return None
    cut = [clauses(text, unit, most_words=most_words) for unit in quotable]
    pieces = tuple(piece for pieces in cut for piece in pieces)
    starts = [start for start, _ in pieces]
    ends = np.array([end for _, end in pieces])
    similarity = asked.rows @ vectors.rows.T
    nearest = np.zeros((len(asked.rows), len(pieces)), np.float32)
    sums = np.zeros((vectors.rows.shape[1], len(pieces)), np.float32)
    bounds = zip(np.searchsorted(vectors.spans[:, 0], starts), np.searchsorted(vectors.spans[:, 0], ends), strict=True)
    for clause, (first, stop) in enumerate(bounds):
        if first < stop:
            nearest[:, clause] = similarity[:, first:stop].max(axis=1)
            sums[:, clause] = vectors.rows[first:stop].sum(axis=0)
    own = _words_of(text, pieces)
    unit_starts = {unit.start for unit in quotable}
    return Evidence(
        text=text,
        units=quotable,
        clauses=pieces,
        unit_of=np.repeat(np.arange(len(quotable)), [len(pieces) for pieces in cut]),
        nearest=nearest,
        said=_said(question, own),
        sums=sums,
        signs=np.array(
            [_signs(question, text[a:b], of, unit_starts) for (a, b), of in zip(pieces, own, strict=True)]
        ).T,
        lengths=np.array([len(text[a:b].split()) for a, b in pieces]),
    )


def _bare(text: str) -> str:
    return " ".join(text.split()).casefold()


def _words_of(text: str, pieces: tuple[tuple[int, int], ...]) -> list[list[Word]]:
    found = words(text)
    starts = [word.start for word in found]
    bounds = np.searchsorted(starts, [*(start for start, _ in pieces), len(text)])
    return [found[first:stop] for first, stop in pairwise(bounds)]


def _said(question: Question, own: list[list[Word]]) -> Booleans:
    stems = [{stem for word in clause for stem in word.stems} for clause in own]
    return np.array([[word.stem in clause for clause in stems] for word in question.words], bool).reshape(
        len(question.words), len(own)
    )


def _signs(question: Question, clause: str, own: list[Word], unit_starts: set[int]) -> tuple[bool, ...]:
    new = [word for word in own if word.content and word.stem not in question.stems]
    return (
        any(word.capital and word.start not in unit_starts for word in new),
        any(word.date for word in new),
        _PLACE.search(clause) is not None,
        any(word.number for word in new),
        _REASON.search(clause) is not None,
        _MANNER.search(clause) is not None,
        _DEFINITION.search(clause) is not None,
    )
