"""How often a challenger that is no better is promoted, and how often one that is better is.

    python -m bench.promotion_simulation [--rounds 500] [--samples 2000] [--confidence 0.95] [--seed 1] [--json]

`promotions without a difference`: pairs of champion and challenger without a true difference, drawn again and again and
decided by the comparison's own function (`tuning/decision.py`) with its default margin and with none, per shape of
scores and number of questions. `observed` is the share that was promoted with its exact 95 % interval
(Clopper-Pearson). At most 1 − confidence is promised where both are exchangeable within a question; the command fails
(exit 1) when the interval at 99.9 % lies above it, in any row or over all rows of a shape and margin together. Shapes
marked `means only` are equal on average and not exchangeable, and are only shown; see `bench/gate_simulation.py`.

`power at twice the margin`: how often a true gain of twice the margin is promoted: wrong answers become right ones, on
top of the changes that mean nothing. `without the margin` leaves the margin out of the decision, to tell what it costs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from bench.gate_simulation import SHAPES, Floats, Rate, Shape, rate_of, show
from rag_assets.config import ComparisonSettings
from rag_assets.tuning.decision import decide, paired_gain

SIZES = (50, 110, 250, 1_000)
MARGINS = (0.01, 0.025, 0.05)
DEFAULT_MARGIN = ComparisonSettings().min_margin
GAINING = ("0/1, 5 % differ", "0/1, 30 % differ", "reciprocal ranks, 10 % anew")


def promoted(
    challenger: Floats, champion: Floats, options: argparse.Namespace, margins: Sequence[float]
) -> npt.NDArray[np.int64]:
    """1 for each of `margins` with which the decision itself promotes, every other setting at its default; else 0."""
    gain = paired_gain(challenger, champion, samples=options.samples, confidence=options.confidence)
    rules = (ComparisonSettings(confidence=options.confidence, min_margin=margin) for margin in margins)
    return np.array([decide(gain, one)[0] == "challenger" for one in rules], dtype=np.int64)


def without_difference(options: argparse.Namespace) -> tuple[list[Rate], list[Rate]]:
    """Every shape at every size, with no margin and with the default one; and each over all sizes, `n` being pairs."""
    margins = (0.0, DEFAULT_MARGIN)
    promised = 1 - options.confidence
    found: dict[float, list[Rate]] = {margin: [] for margin in margins}
    together = []
    for number, shape in enumerate(SHAPES):
        limit = promised if shape.promised else None
        total = np.zeros(len(margins), dtype=np.int64)
        for n in SIZES:
            rng = np.random.default_rng([options.seed, number, n])
            fired = sum(promoted(*shape.draw(rng, n), options, margins) for _ in range(options.rounds))
            total += fired
            for margin, count in zip(margins, fired, strict=True):
                found[margin].append(rate_of(f"{shape.name}, margin {margin}", n, int(count), options.rounds, limit))
        for margin, count in zip(margins, total, strict=True):
            pairs = options.rounds * len(SIZES)
            together.append(rate_of(f"{shape.name}, margin {margin}", pairs, int(count), pairs, limit))
    return [rate for rates in found.values() for rate in rates], together


def better(rng: np.random.Generator, shape: Shape, n: int, gain: float) -> tuple[Floats, Floats]:
    """A challenger whose expected score is higher by `gain`: some of what was not perfect becomes so."""
    challenger, champion = shape.draw(rng, n)
    missing = float((1 - challenger).mean())
    mended = rng.random(n) < min(1.0, gain / missing if missing else 1.0)
    return np.where(mended, 1.0, challenger), champion


def powers(options: argparse.Namespace) -> list[Rate]:
    """Gains of twice the margin, for several margins."""
    found = []
    for shape in (shape for shape in SHAPES if shape.name in GAINING):
        for margin in MARGINS:
            for n in SIZES:
                rng = np.random.default_rng([options.seed, n, 11])
                used = (margin, 0.0)
                fired = sum(promoted(*better(rng, shape, n, 2 * margin), options, used) for _ in range(options.rounds))
                names = (f"margin {margin}", f"gain {2 * margin}, without the margin")
                for what, count in zip(names, fired, strict=True):
                    found.append(rate_of(f"{shape.name}, {what}", n, int(count), options.rounds, None))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--samples", type=int, default=2_000)
    parser.add_argument("--confidence", type=float, default=ComparisonSettings().confidence)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    started = time.monotonic()
    each, together = without_difference(options)
    results = {
        "promotions without a difference": each,
        "over all sizes (n: pairs)": together,
        "power at twice the margin": powers(options),
    }
    above = [one for rates in results.values() for one in rates if one.within is False]
    if options.json:
        values = {title: [asdict(one) for one in rates] for title, rates in results.items()}
        print(json.dumps({"options": vars(options), **values, "above": [asdict(one) for one in above]}, indent=2))
    else:
        for title, rates in results.items():
            show(title, rates)
        seconds = time.monotonic() - started
        print(f"\n{seconds:.0f} s; {len(above)} above the configured rate of {1 - options.confidence:.3f}")
    if above:
        sys.exit(1)


if __name__ == "__main__":
    main()
