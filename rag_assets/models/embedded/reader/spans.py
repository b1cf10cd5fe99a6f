"""The candidates for a quote: whole units, and runs of clauses within one unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag_assets.models.embedded.reader.evidence import Evidence
from rag_assets.models.embedded.reader.features import Candidates


def whole_units(evidence: Evidence) -> Candidates:
    """One candidate for each unit, in order: the runs of all its clauses."""
    changes = np.flatnonzero(np.diff(evidence.unit_of))
    return Candidates(np.r_[0, changes + 1], np.r_[changes, len(evidence.unit_of) - 1])


def runs_within(evidence: Evidence, units: Sequence[int], *, most_words: int) -> Candidates:
    """Every run of clauses inside one of `units` that has at most `most_words` words between white space."""
    first: list[int] = []
    last: list[int] = []
    for unit in units:
        own = np.flatnonzero(evidence.unit_of == unit)
        for start in own:
            lengths = evidence.lengths[start : own[-1] + 1].cumsum()
            stops = start + np.flatnonzero(lengths <= most_words)
            first.extend([int(start)] * len(stops))
            last.extend(stops.tolist())
    return Candidates(np.array(first, np.int64), np.array(last, np.int64))


def bounds(evidence: Evidence, candidates: Candidates, number: int) -> tuple[int, int]:
    """The character offsets of a candidate in its passage."""
    return evidence.clauses[candidates.first[number]][0], evidence.clauses[candidates.last[number]][1]
