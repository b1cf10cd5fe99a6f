"""Which of two models is to answer, by the scores of the same questions.

The challenger takes over where all three hold: the one-sided bootstrap bound of the mean difference is above 0, the
sign-flip test agrees, and the observed difference is at least the margin. The first speaks of means without assuming
symmetry; the second holds the rate of false promotions at 1 − confidence for every number of questions;
`bench/promotion_simulation.py` measures it. Equal input gives equal figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Any

import numpy as np

from rag_assets.config import ComparisonSettings
from rag_assets.evaluation.statistics import TOLERANCE, Values, detectable_effect, p_of_loss, resampled_means
from rag_assets.ledger import Outcome

SEED = 0


@dataclass(frozen=True, slots=True)
class Gain:
    """Challenger minus champion over the same `n` questions, in the metric's unit.

    `lower_bound`: the mean difference is above it with the wanted confidence. `p_better`: one-sided, the chance of a
    difference this large between equal models. `detectable`: the smallest true gain that would be noticed four times
    out of five, without the margin.
    """

    n: int
    champion: float
    challenger: float
    difference: float
    ci95: tuple[float, float]
    lower_bound: float
    p_better: float
    detectable: float


def paired_gain(challenger: Values, champion: Values, *, samples: int, confidence: float, seed: int = SEED) -> Gain:
    """Compares scores position by position. Raises `ValueError` for no pairs and for lengths that differ."""
    if len(challenger) != len(champion):
        raise ValueError(f"{len(challenger)} scores cannot be paired with {len(champion)}")
    new, old = np.asarray(challenger, dtype=np.float64), np.asarray(champion, dtype=np.float64)
    differences = new - old
    means = resampled_means(differences, samples, np.random.default_rng(seed))
    low, bound, high = np.quantile(means, (0.025, 1 - confidence, 0.975))
    return Gain(
        n=len(differences),
        champion=float(old.mean()),
        challenger=float(new.mean()),
        difference=float(differences.mean()),
        ci95=(float(low), float(high)),
        lower_bound=float(bound),
        p_better=p_of_loss(-differences, samples=samples, seed=seed),
        detectable=detectable_effect(-differences, false_alarm_rate=1 - confidence, margin=0.0),
    )


def decide(gain: Gain | None, settings: ComparisonSettings, *, left_out: int = 0) -> tuple[Outcome, str]:
    """What is to answer, and why in one sentence. None: no question measures the primary metric."""
    metric, n = settings.primary_metric, gain.n if gain is not None else 0
    if gain is None or n < settings.min_questions:
        few = f"{metric} is measured by {n:,} questions, and fewer than {settings.min_questions:,} decide nothing"
        orphaned = f"; {left_out:,} more lost their expected documents" if left_out else ""
        return "undecided", f"{few}{orphaned}: the champion stays"
    figures = (
        f"{metric} is {gain.challenger:.3f} with the challenger and {gain.champion:.3f} with the champion over "
        f"{n:,} questions ({gain.difference:+.3f}, p = {gain.p_better:.4f})"
    )
    failed = _failed(gain, settings)
    if not failed:
        sure = f"it is better by more than {gain.lower_bound:.3f} with a confidence of {settings.confidence:.0%}"
        return "challenger", f"{figures}: {sure}"
    return "champion", f"{figures}: {'; '.join(failed)}, so the champion stays"


def _failed(gain: Gain, settings: ComparisonSettings) -> list[str]:
    if gain.difference <= TOLERANCE:
        return ["the challenger is not better"]
    failed = []
    if gain.difference < settings.min_margin - TOLERANCE:
        failed.append(f"the challenger is better by less than the margin of {settings.min_margin:.3f}")
    by_chance = gain.lower_bound <= TOLERANCE or gain.p_better > 1 - settings.confidence + TOLERANCE
    if by_chance:
        failed.append(
            f"with a confidence of {settings.confidence:.0%} no difference is shown (the bound is "
            f"{gain.lower_bound:+.3f}; a true gain of {gain.detectable:.3f} would be noticed four times out of five)"
        )
    return failed


def mcnemar(pairs: Sequence[tuple[float, float]]) -> dict[str, Any] | None:
    """McNemar's exact test of (champion, challenger) scores of 0 and 1; None where a score is another, or none is.

    `p` is two-sided: with equal models each question that only one gets right is a coin's throw.
    """
    if not pairs or any(score not in (0.0, 1.0) for pair in pairs for score in pair):
        return None
    only_champion = sum(old > new for old, new in pairs)
    only_challenger = sum(new > old for old, new in pairs)
    both = sum(old == new == 1.0 for old, new in pairs)
    return {
        "n": len(pairs),
        "both": both,
        "only_champion": only_champion,
        "only_challenger": only_challenger,
        "neither": len(pairs) - both - only_champion - only_challenger,
        "p": _binomial_p(only_champion, only_challenger),
    }


def _binomial_p(one: int, other: int) -> float:
    n = one + other
    tail = sum(comb(n, k) for k in range(min(one, other) + 1))
    return float(min(Fraction(1), Fraction(2 * tail, 2**n)))


def as_values(gain: Gain) -> Mapping[str, Any]:
    """The figures of a metric as plain values, for JSON."""
    return {
        "n": gain.n,
        "champion": gain.champion,
        "challenger": gain.challenger,
        "difference": gain.difference,
        "ci95": list(gain.ci95),
        "lower_bound": gain.lower_bound,
        "p_better": gain.p_better,
        "detectable": gain.detectable,
    }
