"""Which passages answer an example, and which of their sentences: looked up word for word, never invented."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag_assets.answering import cited_passages
from rag_assets.evaluation.answer_metrics import contains, without_marks
from rag_assets.models.embedded.reader.sentences import units
from rag_assets.store import Hit
from rag_assets.tuning.examples import Example
from rag_assets.tuning.passages import in_places

NOT_THERE = "nothing of what it expects is in the snapshot for everybody to see"
NO_PASSAGE = "no passage of what it expects holds its answer"
NOT_FOUND = "no passage that is found for it holds its answer"
QUOTE_GONE = "a passage that it quotes is not in the snapshot any more"
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A piece of a passage, word for word, that belongs to the answer."""

    hit: Hit
    text: str


class EvidenceError(Exception):
    """Why an example has no passage to stand on, as one of the reasons above."""


def evidence_of(example: Example, ranked: Sequence[Hit], placed: Sequence[Hit], *, shown: int) -> list[Sentence]:
    """The sentences that answer `example`, of one passage; of all that it quotes, where it names its quotes.

    `ranked` is what was retrieved, best first, and `placed` every passage of its expected places. An example without
    places is answered by one of the first `shown` passages or not at all: words alone, far down, prove nothing. Raises
    `EvidenceError`.
    """
    if example.expected and not placed:
        raise EvidenceError(NOT_THERE)
    candidates = list(ranked[:shown])
    if example.expected:
        first = [hit for hit in ranked if in_places(hit, example.expected)]
        known = {hit.chunk_id for hit in first}
        candidates = [*first, *(hit for hit in placed if hit.chunk_id not in known)]
    if example.quotes:
        return [_quoted(quote, candidates) for quote in example.quotes]
    for look in (_accepted, _written):
        for hit in candidates:
            if found := look(example, hit):
                return found
    raise EvidenceError(NO_PASSAGE if example.expected else NOT_FOUND)


def pieces_of(example: Example) -> tuple[str, ...]:
    """The texts by which a passage shows that it answers `example`."""
    return (*example.accepted, *example.quotes)


def holds_any(text: str, pieces: Sequence[str]) -> bool:
    """Whether one of `pieces` stands in `text`, as answers are compared."""
    return any(contains(text, piece) for piece in pieces)


def _quoted(quote: str, candidates: Sequence[Hit]) -> Sentence:
    pattern = re.compile(r"\s+".join(map(re.escape, quote.split())))
    for hit in candidates:
        if found := pattern.search(hit.text):
            return Sentence(hit, found[0])
    raise EvidenceError(QUOTE_GONE)


def _accepted(example: Example, hit: Hit) -> list[Sentence]:
    """The sentence that holds most of what is accepted and, of those, shares most words with the question."""
    pieces = example.accepted or (without_marks(example.answer),)
    asked = _words(example.prompt)
    best, best_score = "", (0.0, 0)
    for sentence in _sentences(hit.text):
        held = sum(contains(sentence, piece) for piece in pieces if piece)
        score = (held, len(asked & _words(sentence)))
        if held and score > best_score:
            best, best_score = sentence, score
    return [Sentence(hit, best)] if best else []


def _written(example: Example, hit: Hit) -> list[Sentence]:
    """The sentences that an answer in other words stands on, by the rule that answers are verified by in service."""
    answer = without_marks(example.answer)
    if not answer:
        return []
    supporting = (cited_passages(f"{said} [1]", [hit])[1] for said in _sentences(answer))
    quotes = [quote for citations in supporting for citation in citations for quote in citation.quotes]
    return [Sentence(hit, quote) for quote in dict.fromkeys(quotes)]


def _sentences(text: str) -> Iterator[str]:
    for unit in units(text):
        if unit.kind != "heading":
            yield text[unit.start : unit.end]


def _words(text: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _WORD.findall(text))
