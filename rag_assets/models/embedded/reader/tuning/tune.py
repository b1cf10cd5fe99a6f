"""Tunes the reader's sentence scoring on examples by gradient descent, and keeps the best step.

The loss of an example is -log of the probability, by softmax over the sentences of its passages, that a right one is
chosen; its accuracy is whether the most probable one is right. Step 0 is the base: what comes back has no more loss
and no less accuracy on the validation examples than the base has. Results depend on the examples, the base, the
hyper-parameters and the seed alone: not on the order of the examples, nor on how often the work was cut off.

Examples that say that their passages do not answer take no part in the descent; the reader's confidence is fitted to
them afterwards (`refusals.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from rag_assets.errors import InvalidRequestError
from rag_assets.models.embedded.reader.features import FEATURES
from rag_assets.models.embedded.reader.scoring import ScoringModel
from rag_assets.models.embedded.reader.tuned import TunedReader
from rag_assets.models.embedded.reader.tuning.descent import State, Step
from rag_assets.models.embedded.reader.tuning.examples import TuningExample
from rag_assets.models.embedded.reader.tuning.material import Floats, Lesson, Table, study, table_of
from rag_assets.models.embedded.reader.tuning.refusals import with_confidence
from rag_assets.models.embedded.reader.vectors import TokenEncoder

_EPOCHS, _BATCH_SIZE, _RATE = 20, 8, 0.01
_PENALTY = 0.01
_PATIENCE_EPOCHS = 5
_CHECKPOINT_STEPS = 20


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """As they were used, the defaults filled in."""

    epochs: int
    batch_size: int
    learning_rate_multiplier: float
    seed: int


@dataclass(frozen=True, slots=True)
class Tuned:
    """The reader of step `best_step`; `steps` has every step that was done. `stopped`: by the caller, not finished.

    `trained_tokens` counts the word pieces of questions, passages and quotes, each as often as it was trained on.
    """

    reader: TunedReader
    steps: tuple[Step, ...]
    best_step: int
    trained_tokens: int
    hyperparameters: Hyperparameters
    stopped: bool
    early: bool


def tune(
    train: Sequence[TuningExample],
    validation: Sequence[TuningExample],
    *,
    base: ScoringModel | TunedReader,
    encoder: TokenEncoder,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate_multiplier: float | None = None,
    seed: int = 0,
    checkpoint: Path | None = None,
    on_start: Callable[[int], None] = lambda _: None,
    on_step: Callable[[Step], None] = lambda _: None,
    on_epoch: Callable[[Step, TunedReader], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Tuned:
    """Tunes `base` on `train`, choosing the step by `validation`; without that, the last step is kept.

    `checkpoint` is a file that is written every so many steps: where it is there, the work goes on from it, with the
    same result to the bit, and `on_step` hears of the steps after it only. `on_start` hears how many steps there are at
    most, `on_epoch` of the reader as it is after each epoch. `stopped` is asked before each step. Raises
    `InvalidRequestError` for hyper-parameters out of range, and where no example of `train` has a sentence to choose.
    """
    chosen = hyperparameters(epochs, batch_size, learning_rate_multiplier, seed)
    scoring = base.scoring if isinstance(base, TunedReader) else base
    studied, held = study(train, encoder=encoder), study(validation, encoder=encoder)
    lessons = [lesson for lesson in studied if lesson.teaches]
    if not lessons:
        raise InvalidRequestError(
            "No training example has a sentence to choose among others.",
            fix="Give examples whose passages have several sentences, one of which the answer quotes.",
        )
    work = _Work(
        scoring,
        lessons,
        [lesson for lesson in held if lesson.teaches],
        chosen,
        _fingerprint(train, validation, scoring, chosen),
    )
    on_start(work.per_epoch * chosen.epochs)
    state, ended = work.run(checkpoint, on_step, on_epoch, stopped)
    return Tuned(
        reader=TunedReader(with_confidence(work.model(state.best), studied, held)),
        steps=tuple(state.history),
        best_step=state.best_step,
        trained_tokens=state.trained_tokens,
        hyperparameters=chosen,
        stopped=ended == "stopped",
        early=ended == "early",
    )


class _Work:
    """One descent: the tables of both sets, and what is done at each step."""

    def __init__(
        self,
        base: ScoringModel,
        lessons: Sequence[Lesson],
        held: Sequence[Lesson],
        chosen: Hyperparameters,
        fingerprint: str,
    ) -> None:
        self.base = base
        self.train = _standardised(base, lessons)
        self.held = _standardised(base, held) if held else None
        self.tokens = np.array([lesson.tokens for lesson in lessons])
        self.chosen = chosen
        self.fingerprint = fingerprint
        self.origin = np.array([base.sentence[name] for name in FEATURES])
        self.at_start = measure(self.held, self.origin)[:2] if self.held else None

    @property
    def per_epoch(self) -> int:
        """How many steps it takes to see every lesson once."""
        return -(-len(self.train) // self.chosen.batch_size)

    def run(
        self,
        checkpoint: Path | None,
        on_step: Callable[[Step], None],
        on_epoch: Callable[[Step, TunedReader], None] | None,
        stopped: Callable[[], bool],
    ) -> tuple[State, str]:
        """Descends from the checkpoint, or the beginning, to the end: "done", "early" or "stopped"."""
        state = (State.load(checkpoint, self.fingerprint) if checkpoint else None) or State.start(self.origin)
        while state.step < self.per_epoch * self.chosen.epochs:
            if stopped():
                return state, "stopped"
            epoch, position = divmod(state.step, self.per_epoch)
            if position == 0 and self._stale(state, self.per_epoch):
                return state, "early"
            self._step(state, self._batch(epoch, position))
            on_step(state.history[-1])
            if on_epoch and state.step % self.per_epoch == 0:
                on_epoch(state.history[-1], TunedReader(self.model(state.weights)))
            if checkpoint and state.step % _CHECKPOINT_STEPS == 0:
                state.save(checkpoint, self.fingerprint)
        return state, "done"

    def _batch(self, epoch: int, position: int) -> np.ndarray:
        order = np.random.default_rng((self.chosen.seed, epoch)).permutation(len(self.train))
        return order[position * self.chosen.batch_size : (position + 1) * self.chosen.batch_size]

    def _step(self, state: State, batch: np.ndarray) -> None:
        lessons = self.train.pick(batch)
        loss, accuracy, slope = measure(lessons, state.weights)
        slope = slope + 2 * _PENALTY * (state.weights - self.origin)
        state.descend(slope, _RATE * self.chosen.learning_rate_multiplier)
        state.trained_tokens += int(self.tokens[batch].sum())
        valid = measure(self.held, state.weights)[:2] if self.held else (None, None)
        state.history.append(Step(state.step, loss, accuracy, *valid))
        if self.held is None or self._better(state, *valid):
            state.best, state.best_step = state.weights, state.step

    def _better(self, state: State, loss: float | None, accuracy: float | None) -> bool:
        """Whether the step just done has less loss than the best, and no less accuracy than the base."""
        assert self.at_start is not None and loss is not None and accuracy is not None
        base_loss, base_accuracy = self.at_start
        least = state.history[state.best_step - 1].valid_loss if state.best_step else base_loss
        return accuracy >= base_accuracy and (least is None or loss < least)

    def _stale(self, state: State, per_epoch: int) -> bool:
        return self.held is not None and state.step - state.best_step >= _PATIENCE_EPOCHS * per_epoch

    def model(self, weights: Floats) -> ScoringModel:
        """The base with other weights for sentences."""
        sentence = {name: float(value) for name, value in zip(FEATURES, weights, strict=True)}
        return replace(
            self.base, sentence=sentence, trained_on=f"{self.base.trained_on}, then {len(self.train)} examples"
        )


def measure(lessons: Table, weights: Floats) -> tuple[float, float, Floats]:
    """Mean loss, accuracy and gradient of the loss over the lessons of a table."""
    scores = lessons.rows @ weights
    highest = np.maximum.reduceat(scores, lessons.firsts)
    powers = np.exp(scores - np.repeat(highest, lessons.sizes))
    chances = powers / np.repeat(np.add.reduceat(powers, lessons.firsts), lessons.sizes)
    mass = np.maximum(np.add.reduceat(chances * lessons.right, lessons.firsts), 1e-12)
    wanted = chances * lessons.right / np.repeat(mass, lessons.sizes)
    hit = np.logical_or.reduceat(lessons.right & (scores >= np.repeat(highest, lessons.sizes)), lessons.firsts)
    slope = lessons.rows.T @ (chances - wanted) / len(lessons)
    return float(-np.log(mass).mean()), float(hit.mean()), slope


def _standardised(base: ScoringModel, lessons: Sequence[Lesson]) -> Table:
    means = np.array([base.scales[name].mean for name in FEATURES])
    deviations = np.array([base.scales[name].deviation for name in FEATURES])
    return table_of([(each.features - means) / deviations for each in lessons], [each.right for each in lessons])


def hyperparameters(epochs: int | None, batch_size: int | None, rate: float | None, seed: int) -> Hyperparameters:
    """What is used where some are left to the trainer. Raises `InvalidRequestError` for one that is out of range."""
    chosen = Hyperparameters(
        epochs if epochs is not None else _EPOCHS,
        batch_size if batch_size is not None else _BATCH_SIZE,
        rate if rate is not None else 1.0,
        seed,
    )
    ranges = {"epochs": (1, 100), "batch_size": (1, 256), "learning_rate_multiplier": (0.001, 100), "seed": (0, 2**63)}
    for name, (least, most) in ranges.items():
        if not least <= getattr(chosen, name) <= most:
            raise InvalidRequestError(
                f"{name} is {getattr(chosen, name)}.", fix=f"Choose a number from {least} to {most}, or none."
            )
    return chosen


def _fingerprint(
    train: Sequence[TuningExample], validation: Sequence[TuningExample], base: ScoringModel, chosen: Hyperparameters
) -> str:
    keys = [sorted(example.key for example in examples) for examples in (train, validation)]
    content = json.dumps([keys, asdict(base), asdict(chosen)])
    return hashlib.sha256(content.encode()).hexdigest()
