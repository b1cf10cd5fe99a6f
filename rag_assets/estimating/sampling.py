"""Totals over many documents from a random sample of them, with the interval that says how far off they may be.

The ratio estimator: what a document gives (chunks, tokens) is nearly in proportion to its size, which is known of every
document without reading it. With n of N documents, sizes x and figures y: R = Σy / Σx, the total is R · X, and its
variance N² · (1 − n/N) / n · s², s² being the variance of y − R · x (Cochran, Sampling Techniques, 3rd ed., § 6.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

Z_95 = 1.96
MINIMUM = 30
"""A smaller sample says too little of its own spread."""


@dataclass(slots=True)
class Sample:
    """Of `population` documents with sizes that total `population_size`, those that were looked at."""

    population: int
    population_size: float
    sizes: list[float] = field(default_factory=list)
    figures: list[Mapping[str, int]] = field(default_factory=list)

    def add(self, size: float, figures: Mapping[str, int]) -> None:
        """One document and what it gave."""
        self.sizes.append(max(size, 1.0))
        self.figures.append(figures)

    @property
    def whole(self) -> bool:
        return len(self.sizes) >= self.population

    def total(self, name: str) -> tuple[float, float]:
        """The estimated total of a figure over the population, and half the width of its interval of 95 %."""
        n = len(self.sizes)
        if not n:
            return 0.0, 0.0
        y = np.array([row[name] for row in self.figures], float)
        if self.whole:
            return float(y.sum()), 0.0
        x = np.array(self.sizes)
        ratio = y.sum() / x.sum()
        spread = float(np.sum((y - ratio * x) ** 2)) / max(1, n - 1)
        deviation = self.population * ((1 - n / self.population) / n * spread) ** 0.5
        return float(ratio * self.population_size), Z_95 * deviation


def chosen(keys: Sequence[str], wanted: int) -> list[str]:
    """`wanted` of `keys`, the same ones every time: those with the smallest hashes, in the order of `keys`."""
    if wanted >= len(keys):
        return list(keys)
    from rag_assets.fingerprints import sha256_hex

    picked = set(sorted(keys, key=lambda key: sha256_hex(f"sample\0{key}"))[:wanted])
    return [key for key in keys if key in picked]
