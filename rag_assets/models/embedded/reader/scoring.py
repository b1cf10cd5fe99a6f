"""The weights by which quotes are scored, as data: readable, serialisable, and trainable from examples.

Scores are linear in the standardised features. Over the candidates of one question, the softmax of the `sentence`
scores is the probability that a candidate holds the answer; the `span` weights do the same for runs of clauses. The
`confidence` weights give, by a logistic function, the probability that the passages answer the question at all.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from rag_assets.errors import ModelError
from rag_assets.models.embedded.reader.features import FEATURES
from rag_assets.models.embedded.reader.vectors import Floats

_SHIPPED = Path(__file__).with_name("weights.json")


@dataclass(frozen=True, slots=True)
class Scale:
    """How a feature is standardised: (value - mean) / deviation."""

    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class ScoringModel:
    """Weights by feature name. `threshold` is the confidence below which the passages are said not to answer."""

    scales: Mapping[str, Scale]
    sentence: Mapping[str, float]
    span: Mapping[str, float]
    confidence: Mapping[str, float]
    confidence_bias: float
    threshold: float
    trained_on: str

    def sentence_scores(self, features: Floats) -> Floats:
        """Scores [n] of whole units, from features [n, len(FEATURES)]."""
        return self._scores(features, self.sentence)

    def span_scores(self, features: Floats) -> Floats:
        """Scores [n] of runs of clauses, from features [n, len(FEATURES)]."""
        return self._scores(features, self.span)

    def confidence_of(self, signals: Mapping[str, float]) -> float:
        """The probability that the passages answer, from the signals of `confidence.py`."""
        score = self.confidence_bias + sum(weight * signals[name] for name, weight in self.confidence.items())
        return float(1 / (1 + np.exp(-np.clip(score, -30, 30))))

    def save(self, path: Path) -> None:
        """Writes the model as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> ScoringModel:
        """Reads what `save` wrote; a file with other features raises `ModelError`."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            scales = {name: Scale(**scale) for name, scale in fields.pop("scales").items()}
            model = cls(scales=scales, **fields)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ModelError(f"{path} is not a scoring model: {error}.", fix="Train it again.") from error
        if not set(model.scales) == set(model.sentence) == set(model.span) == set(FEATURES):
            raise ModelError(
                f"{path} has weights for other features than this version scores by.", fix="Train it again."
            )
        return model

    def _scores(self, features: Floats, weights: Mapping[str, float]) -> Floats:
        means = np.array([self.scales[name].mean for name in FEATURES])
        factors = np.array([weights[name] / self.scales[name].deviation for name in FEATURES])
        return np.asarray((features - means) @ factors, np.float32)


@functools.cache
def shipped_model() -> ScoringModel:
    """The model that comes with the package."""
    return ScoringModel.load(_SHIPPED)
