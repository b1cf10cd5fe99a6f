"""The features by which a quote is scored: what each measures, and how.

A candidate is a run of consecutive clauses of one passage. All features are comparable between the candidates of one
question. Token weights combine how rare a token is in general (by its place in the vocabulary) with how rare its word
is among the passages at hand: a word that every sentence has tells none of them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_assets.models.embedded.reader.evidence import SIGNS, Booleans, Evidence
from rag_assets.models.embedded.reader.question import Question
from rag_assets.models.embedded.reader.vectors import Floats, Integers, Vectors

FEATURES = (
    "interaction",  # weighted mean over the question's tokens of the best cosine among the candidate's tokens
    "share",  # the same, each cosine divided by that token's best in any passage
    "best_share",  # weight of the tokens whose best match in the passage is in the candidate
    "peak",  # mean of the three largest weighted cosines: with a negative weight, matches must be broad
    "context_interaction",  # interaction of the candidate with the sentence before and after it
    "passage_interaction",  # interaction of the whole passage
    "cosine",  # between the mean token vectors of question and candidate
    "passage_cosine",  # the same for the passage
    "passage_score",  # the retrieval score as a share of the best passage's
    "overlap",  # weighted share of the question's words that the candidate has
    "unique_overlap",  # the same, only words that one sentence of the passage alone has
    "context_overlap",  # overlap of the candidate with the sentence before and after it
    "passage_overlap",  # overlap of the whole passage
    "head",  # mean best cosine of the noun that names the answer's kind ("which *bridge*")
    *(f"sign_{sign}" for sign in SIGNS),  # a sign of the kind of answer that is asked for
    "opening",  # the candidate is in the passage's first sentence
    "position",  # 0 at the first sentence of the passage, towards 1 at its last
    "log_words",  # logarithm of the number of words
    "whole",  # share of the candidate's two ends that are ends of a sentence
)

# The WordPiece vocabulary lists whole words by falling frequency from id 1996 on; below 1037 are marks and digits.
_FIRST_WORD_ID, _FIRST_LETTER_ID, _VOCABULARY = 1996, 1037, 30_522
_LOCAL_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Candidates:
    """Runs of clauses of one passage: `first` and `last` clause of each, both included."""

    first: Integers
    last: Integers


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each word [question words] and each token [question tokens] of the question counts."""

    words: Floats
    tokens: Floats
    general: Floats


def general_weights(ids: Integers) -> Floats:
    """How much a token says: the logarithm of its rank by frequency, 1 for the rarest; marks weigh nothing.

    By Zipf's law a word's frequency falls as 1/rank, so this is its inverse document frequency up to a constant.
    """
    ranks = np.clip(ids - _FIRST_WORD_ID + 1, 1, None)
    weights = np.log(ranks) / log(_VOCABULARY - _FIRST_WORD_ID)
    letters = np.where(ids < _FIRST_LETTER_ID, 0.0, 0.3)
    return np.where(ids < _FIRST_WORD_ID, letters, weights).astype(np.float32)


def weigh(question: Question, asked: Vectors, evidence: Sequence[Evidence]) -> Weights:
    """The question's weights, given the passages at hand."""
    general = general_weights(asked.ids)
    sentences = np.concatenate([_by_unit_any(each.said, each.unit_of) for each in evidence], axis=1)
    rarity = np.log((sentences.shape[1] + 1) / (sentences.sum(axis=1) + 0.5))
    of_words = np.zeros(len(question.words), np.float32)
    of_tokens = general.copy()
    for number, word in enumerate(question.words):
        pieces = (asked.spans[:, 0] >= word.start) & (asked.spans[:, 0] < word.end)
        if word.content and pieces.any():
            of_words[number] = max(general[pieces].max(), 0.9 * (pieces.sum() > 1))
            of_tokens[pieces] += _LOCAL_SHARE * rarity[number]
    return Weights(of_words, of_tokens + 1e-6, general + 1e-6)


def measure(
    question: Question,
    asked: Vectors,
    weights: Weights,
    evidence: Sequence[Evidence],
    scores: Sequence[float],
    candidates: Sequence[Candidates],
) -> list[Floats]:
    """For each passage a matrix [candidates, len(FEATURES)]."""
    best = np.max([each.nearest.max(axis=1) for each in evidence], axis=0)
    highest = max(max(scores), 1e-9)
    return [
        _measure_one(question, asked, weights, each, runs, best, score / highest)
        for each, runs, score in zip(evidence, candidates, scores, strict=True)
    ]


def _measure_one(
    question: Question,
    asked: Vectors,
    weights: Weights,
    evidence: Evidence,
    runs: Candidates,
    best: Floats,
    score: float,
) -> Floats:
    units = len(evidence.units)
    first_unit, last_unit = evidence.unit_of[runs.first], evidence.unit_of[runs.last]
    around = Candidates(np.maximum(first_unit - 1, 0), np.minimum(last_unit + 1, units - 1))
    nearest, unit_nearest = _most(evidence.nearest, runs), _by_unit_max(evidence.nearest, evidence.unit_of)
    said, unit_said = _any(evidence.said, runs), _by_unit_any(evidence.said, evidence.unit_of)
    alone = np.asarray(unit_said.sum(axis=1, keepdims=True) == 1)
    passage_nearest = evidence.nearest.max(axis=1)
    mean = asked.rows.mean(axis=0)
    totals = np.pad(evidence.sums.cumsum(axis=1, dtype=np.float32), ((0, 0), (1, 0)))
    tokens, general, words = weights.tokens, weights.general, weights.words
    count = len(runs.first)
    starts_whole = np.r_[True, np.diff(evidence.unit_of) > 0][runs.first]
    ends_whole = np.r_[np.diff(evidence.unit_of) > 0, True][runs.last]
    columns: dict[str, NDArray[Any] | float] = {
        "interaction": _mean(tokens, nearest),
        "share": _mean(tokens, nearest / np.maximum(best, np.float32(1e-3))[:, None]),
        "best_share": _mean(general, nearest >= np.asarray(passage_nearest - 1e-6)[:, None]),
        "peak": np.sort(nearest * general[:, None], axis=0)[-3:].mean(axis=0),
        "context_interaction": _mean(general, _most(unit_nearest, around)),
        "passage_interaction": float(_mean(general, passage_nearest[:, None])[0]),
        "cosine": _cosine(mean, totals[:, runs.last + 1] - totals[:, runs.first]),
        "passage_cosine": float(_cosine(mean, totals[:, -1:])[0]),
        "passage_score": score,
        "overlap": _mean(words, said),
        "unique_overlap": _mean(words, said & alone),
        "context_overlap": _mean(words, _any(unit_said, around)),
        "passage_overlap": float(_mean(words, np.any(unit_said, axis=1, keepdims=True))[0]),
        "head": _head(question, asked, nearest),
        "opening": (first_unit == 0).astype(np.float32),
        "position": first_unit / units,
        "log_words": np.log1p(_added(evidence.lengths, runs)),
        "whole": (starts_whole.astype(np.float32) + ends_whole) / 2,
    }
    signs = _any(evidence.signs, runs)
    columns |= {f"sign_{sign}": signs[row] * float(question.asks == sign) for row, sign in enumerate(SIGNS)}
    return np.stack([np.broadcast_to(columns[name], count) for name in FEATURES], axis=1).astype(np.float32)


def _head(question: Question, asked: Vectors, nearest: Floats) -> Floats | float:
    if question.head is None:
        return 0.0
    rows = (asked.spans[:, 0] >= question.head[0]) & (asked.spans[:, 0] < question.head[1])
    return nearest[rows].mean(axis=0) if rows.any() else 0.0


def _mean(weights: Floats, values: NDArray[Any]) -> Floats:
    """The weighted mean of `values` [n, m] over their first axis."""
    return np.asarray(weights @ values / max(weights.sum(), 1e-6), np.float32)


def _cosine(vector: NDArray[Any], columns: NDArray[Any]) -> Floats:
    lengths = np.linalg.norm(vector) * np.linalg.norm(columns, axis=0)
    return np.asarray(vector @ columns / np.maximum(lengths, 1e-9), np.float32)


def _edges(runs: Candidates) -> Integers:
    return np.stack([runs.first, runs.last + 1], axis=1).ravel()


def _most(values: Floats, runs: Candidates) -> Floats:
    """The maximum of `values` [n, clauses] over each run."""
    padded = np.concatenate([values, values[:, -1:]], axis=1)
    return np.asarray(np.maximum.reduceat(padded, _edges(runs), axis=1)[:, ::2])


def _any(values: Booleans, runs: Candidates) -> Booleans:
    padded = np.concatenate([values, values[:, -1:]], axis=1)
    return np.asarray(np.logical_or.reduceat(padded, _edges(runs), axis=1)[:, ::2])


def _added(values: Integers, runs: Candidates) -> Integers:
    totals = np.concatenate([[0], values.cumsum()])
    return np.asarray(totals[runs.last + 1] - totals[runs.first])


def _by_unit_max(values: Floats, unit_of: Integers) -> Floats:
    return np.asarray(np.maximum.reduceat(values, _firsts(unit_of), axis=1))


def _by_unit_any(values: Booleans, unit_of: Integers) -> Booleans:
    return np.asarray(np.logical_or.reduceat(values, _firsts(unit_of), axis=1))


def _firsts(unit_of: Integers) -> Integers:
    return np.flatnonzero(np.r_[True, np.diff(unit_of) > 0])
