"""How sure a mean over questions is, and whether one evaluation is worse than another.

Questions are what is sampled: every figure here says what would happen with other questions of the same kind. All
functions are deterministic: equal values and an equal seed give equal figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Values = Sequence[float] | Floats
Statistic = Callable[[Floats, int], Floats]
"""Reduces an array along an axis: `numpy.median`, or a quantile."""

POWER = 0.8
EXACT_OUTCOMES = 50_000
BLOCK_VALUES = 2_000_000
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Candidate minus baseline over the same `n` questions; below 0 the candidate is lower.

    `ci95`: two-sided interval of the mean difference. `p_worse`: one-sided, of a loss beyond the margin. `p_differs`:
    two-sided, of any difference, without the margin. `worse`: the decision. `detectable_effect`: the smallest true
    loss that this decision would notice four times out of five.
    """

    n: int
    difference: float
    ci95: tuple[float, float]
    p_worse: float
    worse: bool
    detectable_effect: float
    p_differs: float

    @property
    def differs(self) -> bool:
        """Whether the interval leaves out 0 and the test agrees; for display, not for the gate."""
        return self.p_differs <= 0.05 and not self.ci95[0] <= 0.0 <= self.ci95[1]


def interval(
    values: Values,
    *,
    samples: int,
    seed: int = 0,
    statistic: Statistic | None = None,
) -> tuple[float, float]:
    """The 95 % percentile-bootstrap interval of the mean of `values`, or of another `statistic` of them.

    Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. One value, or values that are all equal,
    give an interval of width 0: the bootstrap cannot see what was not sampled. Raises `ValueError` for no values and
    for values that are not finite.
    """
    checked = _checked(values)
    rng = np.random.default_rng(seed)
    if statistic is None:
        resampled = resampled_means(checked, samples, rng)
    else:
        resampled = _resampled(checked, samples, rng, statistic)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return float(low), float(high)


def paired_difference(
    candidate: Values,
    baseline: Values,
    *,
    samples: int,
    false_alarm_rate: float,
    margin: float,
    seed: int = 0,
) -> PairedDifference:
    """Compares scores of the same questions, position by position.

    `worse` needs both: the one-sided bootstrap bound at 1 − `false_alarm_rate` of the mean difference lies below
    −`margin`, and a sign-flip test of the differences plus `margin` has p ≤ `false_alarm_rate`. The first speaks of
    means without assuming symmetry; the second holds the rate of false alarms for every n, also where the
    bootstrap's bound is too near. Raises `ValueError` for no pairs, for lengths that differ and for values that are
    not finite.
    """
    if len(candidate) != len(baseline):
        raise ValueError(f"{len(candidate)} scores cannot be paired with {len(baseline)}")
    differences = _checked(candidate) - _checked(baseline)
    rng = np.random.default_rng(seed)
    means = resampled_means(differences, samples, rng)
    low, upper, high = np.quantile(means, (0.025, 1 - false_alarm_rate, 0.975))
    p_worse = p_of_loss(differences + margin, samples=samples, seed=seed)
    p_lower = p_worse if margin == 0 else p_of_loss(differences, samples=samples, seed=seed)
    p_higher = p_of_loss(-differences, samples=samples, seed=seed)
    return PairedDifference(
        n=len(differences),
        difference=float(differences.mean()),
        ci95=(float(low), float(high)),
        p_worse=p_worse,
        worse=bool(upper < -margin - TOLERANCE and p_worse <= false_alarm_rate),
        detectable_effect=detectable_effect(differences, false_alarm_rate=false_alarm_rate, margin=margin),
        p_differs=min(1.0, 2 * min(p_lower, p_higher)),
    )


def p_of_loss(differences: Values, *, samples: int, seed: int = 0) -> float:
    """The chance of a sum this low or lower when the sign of each difference is a coin's: the sign-flip test.

    Valid for every n where candidate and baseline are exchangeable within a question, and more so where the candidate
    is better; with scores of 0 and 1 it is McNemar's exact test. Exact where the outcomes can be counted, otherwise
    by `samples` random ones with the observed one counted in, which keeps it valid (Phipson & Smyth 2010).
    """
    nonzero = _checked(differences)
    nonzero = nonzero[np.abs(nonzero) > TOLERANCE]
    # Flipping a set of questions lowers the sum by twice that set's own sum, so it stays as low where that is >= 0.
    sizes, counts = np.unique(nonzero, return_counts=True)
    tolerance = TOLERANCE * max(1.0, float(np.abs(nonzero).sum()))
    if math.prod(int(count) + 1 for count in counts) <= EXACT_OUTCOMES:
        sums, chances = _flipped_sums(sizes, counts)
        return min(1.0, round(float(chances[sums >= -tolerance].sum()), 12))
    rng = np.random.default_rng(seed)
    flipped = rng.binomial(counts, 0.5, size=(samples, len(counts))) @ sizes
    return float((np.count_nonzero(flipped >= -tolerance) + 1) / (samples + 1))


def detectable_effect(differences: Values, *, false_alarm_rate: float, margin: float) -> float:
    """The smallest true loss noticed with a power of 80 %, in the metric's unit, at most 1.

    It solves loss = margin + (z[1 − rate] + z[.8]) · sqrt((s² + loss · (1 − loss)) / n), where s² is the variance of
    the observed differences: the usual formula for a paired mean, with the variance that the loss itself adds when it
    consists of questions that fall from 1 to 0 (Connor 1987, for paired proportions). One question, 1 / n, is added
    for scores that come in steps: `bench/gate_simulation.py` finds a power of .76 to .84 with it for scores of 0 and
    1, and more for graded ones. So it is above 0 even where no question differs. It is 1 where not even a loss on
    every question would be significant.
    """
    checked = _checked(differences)
    n = len(checked)
    if 0.5**n > false_alarm_rate:
        return 1.0
    normal = NormalDist()
    noise = (normal.inv_cdf(1 - false_alarm_rate) + normal.inv_cdf(POWER)) ** 2 / n
    # (1 + noise) · loss² − (2 · margin + noise) · loss + margin² − noise · s² = 0, of which the larger root.
    middle = 2 * margin + noise
    last = margin**2 - noise * float(checked.var())
    root = (middle + math.sqrt(max(0.0, middle**2 - 4 * (1 + noise) * last))) / (2 * (1 + noise))
    return min(1.0, root + 1 / n)


def _checked(values: Values) -> Floats:
    checked = np.asarray(values, dtype=np.float64)
    if checked.ndim != 1 or checked.size == 0:
        raise ValueError("statistics need at least one value")
    if not np.isfinite(checked).all():
        raise ValueError("statistics need finite values")
    return checked


def resampled_means(values: Floats, samples: int, rng: np.random.Generator) -> Floats:
    """Means of `samples` resamples: how often each distinct value is drawn is multinomial."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) == 1:
        return np.full(samples, distinct[0])
    block = max(1, BLOCK_VALUES // len(distinct))
    chances = counts / len(values)
    means = [
        rng.multinomial(len(values), chances, size=min(block, samples - done)) @ distinct / len(values)
        for done in range(0, samples, block)
    ]
    return np.concatenate(means)


def _resampled(values: Floats, samples: int, rng: np.random.Generator, statistic: Statistic) -> Floats:
    block = max(1, BLOCK_VALUES // len(values))
    parts = [
        statistic(values[rng.integers(0, len(values), size=(min(block, samples - done), len(values)))], 1)
        for done in range(0, samples, block)
    ]
    return np.concatenate(parts)


def _flipped_sums(sizes: Floats, counts: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Every sum that a randomly chosen set of the differences can have, and its chance."""
    sums, chances = np.zeros(1), np.ones(1)
    for size, count in zip(sizes, counts.tolist(), strict=True):
        taken = np.arange(count + 1)
        # By logarithms: 2 to the power of -count is no float for the counts of large evaluations.
        logs = [math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) for k in taken.tolist()]
        binomial = np.exp(np.asarray(logs) - count * math.log(2))
        sums = np.add.outer(sums, taken * size).ravel()
        chances = np.multiply.outer(chances, binomial).ravel()
    return sums, chances
