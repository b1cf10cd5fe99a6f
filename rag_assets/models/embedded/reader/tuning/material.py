"""Examples as the optimiser sees them: for each, the features of every sentence and which sentences are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_assets.models.embedded.reader.reader import Reviewed, review
from rag_assets.models.embedded.reader.spans import whole_units
from rag_assets.models.embedded.reader.tuning.examples import TuningExample, spans_of
from rag_assets.models.embedded.reader.vectors import TokenEncoder

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Lesson:
    """One example: features [n, d] of its sentences as measured, which are right [n], and its length in tokens.

    `refusal`: the example says that its passages do not answer.
    """

    reviewed: Reviewed
    features: NDArray[Any]
    right: Booleans
    tokens: int
    refusal: bool

    @property
    def teaches(self) -> bool:
        """Whether there is a choice to learn: a right sentence and a wrong one."""
        return bool(self.right.any() and not self.right.all())


@dataclass(frozen=True, slots=True)
class Table:
    """The candidates of several lessons, one below the other: `firsts` and `sizes` say which rows are whose."""

    rows: Floats
    right: Booleans
    firsts: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sizes)

    def pick(self, lessons: Sequence[int] | NDArray[np.int64]) -> Table:
        """The table of some of the lessons, in that order."""
        rows = np.concatenate([np.arange(self.firsts[n], self.firsts[n] + self.sizes[n]) for n in lessons])
        return _table(self.rows[rows], self.right[rows], self.sizes[np.asarray(lessons)])


def study(examples: Sequence[TuningExample], *, encoder: TokenEncoder) -> list[Lesson]:
    """Measures each example that has something to quote, ordered by content, so that it does not matter how they came.

    Each text is encoded once as long as the encoder's memory (`vectors.py`) holds it.
    """
    lessons = []
    for example in sorted(examples, key=lambda example: example.key):
        reviewed = review(example.question, example.passages, encoder=encoder)
        if reviewed is None:
            continue
        candidates = [whole_units(evidence) for evidence in reviewed.evidence]
        texts = (example.question, *(each.text for each in example.passages), *(text for _, text in example.quotes))
        lessons.append(
            Lesson(
                reviewed,
                np.concatenate(reviewed.features(candidates)),
                _right(reviewed, example),
                sum(len(encoder.tokenizer.starts(text)) for text in texts),
                example.refusal,
            )
        )
    return lessons


def table_of(rows: Sequence[NDArray[Any]], right: Sequence[Booleans]) -> Table:
    """One table of the rows of several lessons."""
    return _table(
        np.concatenate(rows).astype(np.float64),
        np.concatenate(right),
        np.array([len(each) for each in right], np.int64),
    )


def _table(rows: Floats, right: Booleans, sizes: NDArray[np.int64]) -> Table:
    return Table(rows, right, np.r_[0, np.cumsum(sizes)[:-1]].astype(np.int64), sizes)


def _right(reviewed: Reviewed, example: TuningExample) -> Booleans:
    """Which sentences, over all passages, share most of a quote, or are the same sentence in another passage."""
    texts: set[str] = set()
    right = []
    for passage, evidence in zip(reviewed.passages, reviewed.evidence, strict=True):
        quoted = [span for n, quote in example.quotes if n == passage.n for span in spans_of(passage.text, quote)]
        for unit in evidence.units:
            shared = [min(unit.end, end) - max(unit.start, start) for start, end in quoted]
            least = [min(unit.end - unit.start, end - start) / 2 for start, end in quoted]
            right.append(any(a >= b for a, b in zip(shared, least, strict=True)))
            if right[-1]:
                texts.add(_bare(evidence.text[unit.start : unit.end]))
    units = [evidence.text[unit.start : unit.end] for evidence in reviewed.evidence for unit in evidence.units]
    return np.array([found or _bare(text) in texts for found, text in zip(right, units, strict=True)], bool)


def _bare(text: str) -> str:
    return " ".join(text.split()).casefold()
