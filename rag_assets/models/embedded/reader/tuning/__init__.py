"""Tunes the extractive reader on labelled examples, by gradient descent. See `tune.py`."""

from rag_assets.models.embedded.reader.tuned import TunedReader
from rag_assets.models.embedded.reader.tuning.descent import Step
from rag_assets.models.embedded.reader.tuning.examples import TuningExample, example_from_messages
from rag_assets.models.embedded.reader.tuning.tune import Hyperparameters, Tuned, hyperparameters, tune

__all__ = [
    "Hyperparameters",
    "Step",
    "Tuned",
    "TunedReader",
    "TuningExample",
    "example_from_messages",
    "hyperparameters",
    "tune",
]
