"""Two heavier ways to tune the reader, for `tuning.py` to compare with the one that ships.

Both add a learned number to the base's score of each sentence, fitted by the same descent as the shipped one, with the
step of least loss on the validation questions kept (step 0, the base, included).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.reader import Asked
from rag_assets.models.embedded.reader.tuning.descent import State
from rag_assets.models.embedded.reader.vectors import TokenEncoder, token_vectors, windows

Floats = NDArray[np.float64]
BATCH = 8


@dataclass(frozen=True)
class Case:
    """A question for these families: the base's scores [n] of its sentences, the right ones [n], and its material."""

    base: Floats
    right: NDArray[np.bool_]
    material: Any


Added = Callable[[Floats, Any], Floats]
"""What the weights add to the scores, from a case's material."""
Slope = Callable[[Floats, Any, Floats], Floats]
"""The gradient by the weights of (a vector [n] · what is added)."""


def fit(
    train: Sequence[Case],
    held: Sequence[Case],
    start: Floats,
    added: Added,
    slope: Slope,
    *,
    rate: float,
    decay: float,
    epochs: int,
) -> Floats:
    """The weights of the epoch with the least loss on `held`."""
    state, generator = State.start(start), np.random.default_rng(0)
    usable = [case for case in train if case.right.any()]
    least = _loss(held, state.weights, added)
    for _ in range(epochs):
        order = generator.permutation(len(usable))
        for first in range(0, len(order), BATCH):
            total = np.zeros_like(start)
            batch = [usable[n] for n in order[first : first + BATCH]]
            for case in batch:
                chances = _chances(case.base + added(state.weights, case.material))
                mass = max(float(chances @ case.right), 1e-12)
                total += slope(state.weights, case.material, (chances - chances * case.right / mass) / len(batch))
            state.descend(total, rate)
            state.weights = state.weights * (1 - rate * decay)
        loss = _loss(held, state.weights, added)
        if loss < least:
            least, state.best = loss, state.weights
    return state.best


def _chances(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def _loss(cases: Sequence[Case], weights: Floats, added: Added) -> float:
    masses = [_chances(each.base + added(weights, each.material)) @ each.right for each in cases if each.right.any()]
    return float(-np.log(np.maximum(masses, 1e-12)).mean())


# --- a head on joint encodings: question and passage are read as one text, so that their tokens see each other


def joint_material(asked: Asked, encoder: TokenEncoder) -> Floats:
    """The mean token vector of each sentence, read after the question, less the mean of the question's sentences."""
    reviewed, rows = asked.cases["right"], []
    head = reviewed.question.text + " "
    for passage, evidence in zip(reviewed.passages, reviewed.evidence, strict=True):
        vectors, starts = [], []
        for start, end in windows(encoder.tokenizer, passage.text):
            read = token_vectors(encoder, head + passage.text[start:end])
            own = read.spans[:, 0] >= len(head)
            vectors.append(read.rows[own])
            starts.append(read.spans[own, 0] - len(head) + start)
        tokens, places = np.concatenate(vectors), np.concatenate(starts)
        for unit in evidence.units:
            inside = (places >= unit.start) & (places < unit.end)
            rows.append(tokens[inside].mean(axis=0) if inside.any() else np.zeros(tokens.shape[1]))
    found = np.array(rows, np.float64)
    return np.asarray((found - found.mean(axis=0)) * 20)  # to a deviation of about 1 in a direction


def joint_added(weights: Floats, material: Floats) -> Floats:
    """Linear in the joint vectors."""
    return np.asarray(material @ weights)


def joint_slope(_weights: Floats, material: Floats, wanted: Floats) -> Floats:
    """The gradient of a linear function."""
    return np.asarray(material.T @ wanted)


# --- a low-rank adapter of the late interaction: q·p becomes q·p + (q U)·(p V), as LoRA corrects a matrix
#     (https://arxiv.org/abs/2106.09685); the weight g of a question token becomes g·exp(q·c)

RANK, SCALE = 8, 4.0
"""`SCALE`: about what the shipped weights give to one unit of the late interaction, over all features that hold it."""


@dataclass(frozen=True)
class Meeting:
    """Token vectors of a question [q, d] and of its sentences [t, d], weights [q], first token of each sentence."""

    asked: NDArray[Any]
    tokens: NDArray[Any]
    given: NDArray[Any]
    cosines: NDArray[Any]
    firsts: NDArray[np.int64]


def adapter_material(asked: Asked, encoder: TokenEncoder) -> Meeting:
    """The tokens of all sentences; a sentence without one stands for one of zeros."""
    reviewed, parts = asked.cases["right"], []
    for passage, evidence in zip(reviewed.passages, reviewed.evidence, strict=True):
        vectors = token_vectors(encoder, passage.text)
        for unit in evidence.units:
            first, stop = np.searchsorted(vectors.spans[:, 0], [unit.start, unit.end])
            parts.append(vectors.rows[first:stop] if stop > first else np.zeros((1, vectors.rows.shape[1])))
    tokens = np.concatenate(parts).astype(np.float32)
    firsts = np.r_[0, np.cumsum([len(part) for part in parts])[:-1]].astype(np.int64)
    rows, general = reviewed.asked.rows, reviewed.weights.general
    return Meeting(rows, tokens, general / general.sum(), rows @ tokens.T, firsts)


def adapter_start(dimension: int) -> Floats:
    """U, V and c, one behind the other; U and c are 0, so that nothing is added at first."""
    right = np.random.default_rng(0).normal(size=dimension * RANK) * 0.05
    return np.concatenate([np.zeros(dimension * RANK), right, np.zeros(dimension)])


def adapter_added(weights: Floats, meeting: Meeting) -> Floats:
    """How much the adapter changes the weighted mean best cosine of each sentence, times `SCALE`."""
    mean, _, nearest = _interaction(weights, meeting)
    before = meeting.given @ np.maximum.reduceat(meeting.cosines, meeting.firsts, axis=1)
    return np.asarray(SCALE * (mean @ nearest - before))


def adapter_slope(weights: Floats, meeting: Meeting, wanted: Floats) -> Floats:
    """The gradient through the maximum: only the best token of a sentence takes part in it."""
    left, right, _ = _parts(weights, meeting)
    mean, cosines, nearest = _interaction(weights, meeting)
    sentence_of = np.repeat(np.arange(len(nearest[0])), np.diff(np.r_[meeting.firsts, len(meeting.tokens)]))
    pull = SCALE * mean[:, None] * (cosines >= nearest[:, sentence_of]) * wanted[sentence_of]
    gain = SCALE * (nearest @ wanted)
    by_left = meeting.asked.T @ (pull @ (meeting.tokens @ right))
    by_right = meeting.tokens.T @ (pull.T @ (meeting.asked @ left))
    return np.concatenate([by_left.ravel(), by_right.ravel(), (mean * (gain - mean @ gain)) @ meeting.asked])


def _parts(weights: Floats, meeting: Meeting) -> tuple[Floats, Floats, Floats]:
    dimension = meeting.asked.shape[1]
    left, right, by_token = np.split(weights, [dimension * RANK, 2 * dimension * RANK])
    return left.reshape(dimension, RANK), right.reshape(dimension, RANK), by_token


def _interaction(weights: Floats, meeting: Meeting) -> tuple[Floats, Floats, Floats]:
    left, right, by_token = _parts(weights, meeting)
    mean = meeting.given * np.exp(np.clip(meeting.asked @ by_token, -5, 5))
    cosines = meeting.cosines + (meeting.asked @ left) @ (meeting.tokens @ right).T
    return mean / mean.sum(), cosines, np.maximum.reduceat(cosines, meeting.firsts, axis=1)
