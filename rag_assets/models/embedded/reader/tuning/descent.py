"""The state of a descent, one step of it, and its checkpoint."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import asdict, dataclass, field, fields
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from rag_assets.models.embedded.reader.tuning.material import Floats

FIRST_MOMENT, SECOND_MOMENT = 0.9, 0.999


@dataclass(frozen=True, slots=True)
class Step:
    """What one step showed: over its batch, and over the whole validation set where that was measured after it."""

    step: int
    train_loss: float
    train_accuracy: float
    valid_loss: float | None
    valid_accuracy: float | None


@dataclass(slots=True)
class State:
    """All that the next step depends on, beside the examples and the hyper-parameters."""

    weights: Floats
    first: Floats
    second: Floats
    best: Floats
    step: int = 0
    best_step: int = 0
    trained_tokens: int = 0
    history: list[Step] = field(default_factory=list)

    @classmethod
    def start(cls, weights: Floats) -> State:
        """Nothing done yet."""
        return cls(weights.copy(), np.zeros_like(weights), np.zeros_like(weights), weights.copy())

    def descend(self, slope: Floats, rate: float) -> None:
        """One step of Adam (https://arxiv.org/abs/1412.6980)."""
        self.step += 1
        self.first = FIRST_MOMENT * self.first + (1 - FIRST_MOMENT) * slope
        self.second = SECOND_MOMENT * self.second + (1 - SECOND_MOMENT) * slope**2
        first = self.first / (1 - FIRST_MOMENT**self.step)
        second = self.second / (1 - SECOND_MOMENT**self.step)
        self.weights = self.weights - rate * first / (np.sqrt(second) + 1e-8)

    def save(self, file: Path, fingerprint: str) -> None:
        """Writes a checkpoint of the work that `fingerprint` names; a crash leaves the last one whole."""
        scalars = {
            "fingerprint": fingerprint,
            "step": self.step,
            "best_step": self.best_step,
            "trained_tokens": self.trained_tokens,
            "history": [list(asdict(each).values()) for each in self.history],
        }
        beside = file.with_name(f"{file.name}.{os.getpid()}.tmp")
        with beside.open("wb") as out:
            np.savez(out, scalars=np.array(json.dumps(scalars)), **{name: getattr(self, name) for name in _ARRAYS})
            out.flush()
            os.fsync(out.fileno())
        beside.replace(file)

    @classmethod
    def load(cls, file: Path, fingerprint: str) -> State | None:
        """The checkpoint in `file`; None where there is none, it is damaged, or it is of other work."""
        try:
            with np.load(BytesIO(file.read_bytes()), allow_pickle=False) as stored:
                scalars: dict[str, Any] = json.loads(str(stored["scalars"]))
                arrays = {name: stored[name] for name in _ARRAYS}
            if scalars.pop("fingerprint") != fingerprint:
                return None
            history = [Step(*values) for values in scalars.pop("history")]
            return cls(**arrays, **scalars, history=history)
        except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile):
            return None


_ARRAYS = tuple(each.name for each in fields(State) if each.name in ("weights", "first", "second", "best"))
