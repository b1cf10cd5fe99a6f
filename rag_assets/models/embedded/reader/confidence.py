"""How sure the reader is that the passages answer the question: the signals, each independent of the retriever."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag_assets.models.embedded.reader.evidence import Evidence
from rag_assets.models.embedded.reader.features import FEATURES, Weights
from rag_assets.models.embedded.reader.question import Question
from rag_assets.models.embedded.reader.vectors import Floats

_FROM_QUOTE = (
    "context_interaction",
    "passage_interaction",
    "cosine",
    "passage_cosine",
    "overlap",
    "passage_overlap",
    "head",
)
SIGNALS = (
    *_FROM_QUOTE,  # the features of the best quote
    "interaction",  # weighted by how rare the question's tokens are in general
    "weakest",  # mean cosine of the three least matched tokens of weight, in the best quote's passage
    "missing_names",  # share of the question's names and numbers that no passage has
    "missing_words",  # share of its content words that no passage has
    "missing_sign",  # 1 where the best quote has no sign of the kind of answer that is asked for
    "lead",  # the best quote's probability among the candidates
)


def signals(
    question: Question,
    weights: Weights,
    evidence: Sequence[Evidence],
    best: Evidence,
    clauses: slice,
    features: Floats,
    lead: float,
) -> dict[str, float]:
    """The signals of the best quote: `clauses` of the passage `best`, with its row of `features`."""
    of_quote = dict(zip(FEATURES, features.tolist(), strict=True))
    said = np.any([each.said.any(axis=1) for each in evidence], axis=0)
    content = np.array([word.content for word in question.words], bool)
    names = np.array([word.number or (word.capital and n > 0) for n, word in enumerate(question.words)], bool)
    nearest = best.nearest.max(axis=1)
    heavy = nearest[weights.general > 0.5]
    general = weights.general
    found = {name: of_quote[name] for name in _FROM_QUOTE}
    found["interaction"] = float(general @ best.nearest[:, clauses].max(axis=1) / general.sum())
    found["weakest"] = float(np.sort(heavy)[:3].mean()) if len(heavy) else float(nearest.mean())
    found["missing_names"] = _share(names & ~said, names)
    found["missing_words"] = _share(content & ~said, content)
    sign = f"sign_{question.asks}"
    found["missing_sign"] = 1.0 - of_quote[sign] if sign in of_quote else 0.0
    found["lead"] = lead
    return found


def _share(part: np.ndarray, whole: np.ndarray) -> float:
    return float(part.sum() / max(whole.sum(), 1))
