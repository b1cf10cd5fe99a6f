"""Totals over many documents from a sample of them, with the interval that says how far off they may be.

The largest documents, half of the sample, are looked at for certain: in real collections a few of them hold much of the
text. The rest is chosen at random, and stands for what is left by the ratio estimator: what a document gives (chunks,
tokens) is nearly in proportion to its size, which is known of every document without reading it. With n of N documents,
sizes x and figures y: R = Σy / Σx, the total is R · X, and its variance N² · (1 − n/N) / n · s², s² being the variance
of y − R · x (Cochran, Sampling Techniques, 3rd ed., § 6.4).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rag_assets.fingerprints import sha256_hex

Z_95 = 1.96
MINIMUM = 30
"""A smaller sample says too little of its own spread."""


class Sample:
    """`wanted` of the documents with these `sizes`, the same ones every time: those in `picked`.

    `add` takes what each of them gave; `total` is over all documents.
    """

    def __init__(self, sizes: Mapping[str, float], wanted: int) -> None:
        largest_first = sorted(sizes, key=lambda key: (-sizes[key], key))
        certain = wanted if wanted >= len(sizes) else wanted // 2
        rest = largest_first[certain:]
        chosen = sorted(rest, key=lambda key: sha256_hex(f"sample\0{key}"))[: max(0, wanted - certain)]
        self._certain = frozenset(largest_first[:certain])
        self.picked = self._certain.union(chosen)
        self._sizes = {key: max(sizes[key], 1.0) for key in chosen}
        self._rest = len(rest)
        self._rest_size = sum(max(sizes[key], 1.0) for key in rest)
        self._exact: list[Mapping[str, int]] = []
        self._random: list[tuple[float, Mapping[str, int]]] = []

    def add(self, key: str, figures: Mapping[str, int]) -> None:
        """What one of `picked` gave."""
        if key in self._certain:
            self._exact.append(figures)
        else:
            self._random.append((self._sizes[key], figures))

    def total(self, name: str) -> tuple[float, float]:
        """The estimated total of a figure, and half the width of its interval of 95 %."""
        exact = float(sum(row[name] for row in self._exact))
        n = len(self._random)
        if not n:
            return exact, 0.0
        x = np.array([size for size, _ in self._random])
        y = np.array([row[name] for _, row in self._random], float)
        if n >= self._rest:
            return exact + float(y.sum()), 0.0
        ratio = y.sum() / x.sum()
        spread = float(np.sum((y - ratio * x) ** 2)) / max(1, n - 1)
        deviation = self._rest * ((1 - n / self._rest) / n * spread) ** 0.5
        return exact + float(ratio * self._rest_size), Z_95 * deviation
