"""The extractive reader: quotes the sentences of the passages that answer a question, or says that none does.

It writes nothing of its own. How it scores: `features.py` says what is measured, `weights.json` how much each counts,
`bench/reader.py` how the weights were found and how well they do on questions that they were not trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag_assets.models.embedded.reader.confidence import signals
from rag_assets.models.embedded.reader.evidence import Evidence, gather
from rag_assets.models.embedded.reader.features import Candidates, Weights, measure, weigh
from rag_assets.models.embedded.reader.question import Question, read_question
from rag_assets.models.embedded.reader.scoring import ScoringModel, shipped_model
from rag_assets.models.embedded.reader.spans import bounds, runs_within, whole_units
from rag_assets.models.embedded.reader.tuned import TunedReader
from rag_assets.models.embedded.reader.vectors import Floats, TokenEncoder, Vectors, token_vectors_of

MAX_QUOTE_WORDS = 40
# A further quote is given only if it is at least this probable, and this probable in proportion to the best.
_LEAST_PROBABILITY, _LEAST_PROPORTION = 0.1, 0.35


@dataclass(frozen=True, slots=True)
class Passage:
    """A numbered passage; `score` is the retriever's, higher is better, or None where there is none."""

    n: int
    title: str
    text: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """`text` is `passage.text[start:end]` of passage `n`; `score` is its probability among all sentences read."""

    n: int
    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Reading:
    """The best quotes, best first; `confidence` is the probability that the passages answer the question.

    Quotes are there even where `answerable` is false: they are then the nearest text, not an answer.
    """

    quotes: tuple[Quote, ...]
    confidence: float
    answerable: bool


@dataclass(frozen=True, slots=True)
class Reviewed:
    """All that was measured for a question: what the scoring model is applied to, and trained on."""

    question: Question
    asked: Vectors
    weights: Weights
    passages: tuple[Passage, ...]
    evidence: tuple[Evidence, ...]
    scores: tuple[float, ...]

    def features(self, candidates: Sequence[Candidates]) -> list[Floats]:
        """One feature matrix for each passage's candidates."""
        return measure(self.question, self.asked, self.weights, self.evidence, self.scores, candidates)


def read(
    question: str,
    passages: Sequence[Passage],
    *,
    encoder: TokenEncoder,
    max_quotes: int = 5,
    max_quote_words: int | None = MAX_QUOTE_WORDS,
    model: ScoringModel | TunedReader | None = None,
) -> Reading:
    """Quotes the passages' sentences that answer the question, at most `max_quotes`.

    A sentence longer than `max_quote_words` is quoted by its best run of clauses within that length; None quotes whole
    sentences. Without a word in the question or the passages there is nothing to quote, and the confidence is 0.
    """
    reviewed = review(question, passages, encoder=encoder)
    if reviewed is None:
        return Reading((), 0.0, False)
    return judge(reviewed, model or shipped_model(), max_quotes=max_quotes, max_quote_words=max_quote_words)


def review(question: str, passages: Sequence[Passage], *, encoder: TokenEncoder) -> Reviewed | None:
    """Measures the passages against the question; None where there is nothing to measure."""
    asked_for = read_question(question)
    kept = [passage for passage in passages if passage.text.strip()]
    if not asked_for.words or not kept:
        return None
    asked, *vectors = token_vectors_of(encoder, [question, *(each.text for each in kept)])
    gathered = [
        (passage, gather(asked_for, asked, passage.text, of_passage, most_words=MAX_QUOTE_WORDS, title=passage.title))
        for passage, of_passage in zip(kept, vectors, strict=True)
    ]
    found = [(passage, each) for passage, each in gathered if each is not None]
    if not found or not len(asked.ids):
        return None
    evidence = tuple(each for _, each in found)
    return Reviewed(
        question=asked_for,
        asked=asked,
        weights=weigh(asked_for, asked, evidence),
        passages=tuple(passage for passage, _ in found),
        evidence=evidence,
        scores=_scores([passage for passage, _ in found]),
    )


def judge(
    reviewed: Reviewed, model: ScoringModel | TunedReader, *, max_quotes: int, max_quote_words: int | None
) -> Reading:
    """Picks the quotes and judges whether they answer."""
    model = model.scoring if isinstance(model, TunedReader) else model
    candidates = [whole_units(evidence) for evidence in reviewed.evidence]
    features = reviewed.features(candidates)
    places = [(passage, number) for passage, rows in enumerate(features) for number in range(len(rows))]
    chances = _softmax(model.sentence_scores(np.concatenate(features)))
    quotes: list[Quote] = []
    for index in np.argsort(-chances, kind="stable"):
        chance = float(chances[index])
        if quotes and (chance < _LEAST_PROBABILITY or chance < _LEAST_PROPORTION * quotes[0].score):
            break
        passage, unit = places[index]
        quote = _quote(reviewed, model, passage, unit, chance, max_quote_words)
        if len(quotes) < max_quotes and not any(quote.text in other.text for other in quotes):
            quotes.append(quote)
    top = int(chances.argmax())
    confidence = model.confidence_of(best_signals(reviewed, candidates, features, places[top], float(chances[top])))
    return Reading(tuple(quotes), confidence, confidence >= model.threshold)


def best_signals(
    reviewed: Reviewed,
    candidates: Sequence[Candidates],
    features: Sequence[Floats],
    place: tuple[int, int],
    lead: float,
) -> dict[str, float]:
    """The signals of confidence of the candidate at `place` (passage, number in it)."""
    passage, number = place
    clauses = slice(int(candidates[passage].first[number]), int(candidates[passage].last[number]) + 1)
    return signals(
        reviewed.question,
        reviewed.weights,
        reviewed.evidence,
        reviewed.evidence[passage],
        clauses,
        features[passage][number],
        lead,
    )


def _quote(
    reviewed: Reviewed, model: ScoringModel, passage: int, unit: int, chance: float, most_words: int | None
) -> Quote:
    evidence = reviewed.evidence[passage]
    start, end = evidence.units[unit].start, evidence.units[unit].end
    if most_words is not None and len(evidence.text[start:end].split()) > most_words:
        runs = [
            runs_within(each, [unit] if number == passage else [], most_words=most_words)
            for number, each in enumerate(reviewed.evidence)
        ]
        if len(runs[passage].first):
            scores = model.span_scores(reviewed.features(runs)[passage])
            start, end = bounds(evidence, runs[passage], int(scores.argmax()))
    return Quote(reviewed.passages[passage].n, evidence.text[start:end], start, end, chance)


def _scores(passages: Sequence[Passage]) -> tuple[float, ...]:
    """The retriever's scores; where it gave none, or one that is not above 0, by rank instead."""
    given = [passage.score for passage in passages]
    if all(score is not None and score > 0 for score in given):
        return tuple(float(score) for score in given if score is not None)
    return tuple(1 / (1 + rank) for rank in range(len(passages)))


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())
