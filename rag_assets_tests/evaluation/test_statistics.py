"""Intervals and the paired decision: against independent implementations, and by simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from rag_assets.evaluation.statistics import (
    PairedDifference,
    Values,
    detectable_effect,
    interval,
    p_of_loss,
    paired_difference,
)

RATE = 0.05


def decide(differences: Values, samples: int = 1_000, margin: float = 0.0) -> PairedDifference:
    values = np.asarray(differences, dtype=float)
    return paired_difference(values, np.zeros(len(values)), samples=samples, false_alarm_rate=RATE, margin=margin)


def test_an_interval_agrees_with_another_bootstrap() -> None:
    values = np.random.default_rng(3).beta(2, 1, size=80)
    ours = interval(values, samples=20_000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.003)


def test_an_interval_of_a_quantile_agrees_with_another_bootstrap() -> None:
    values = np.random.default_rng(4).lognormal(4, 0.5, size=60)
    ours = interval(values, samples=20_000, statistic=lambda rows, axis: np.quantile(rows, 0.95, axis=axis))
    theirs = stats.bootstrap(
        (values,),
        lambda rows, axis: np.quantile(rows, 0.95, axis=axis),
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), rel=0.05)


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    held = [
        low <= 0.7 <= high
        for low, high in (interval((rng.random(100) < 0.7).astype(float), samples=500, seed=i) for i in range(400))
    ]
    assert 0.90 <= np.mean(held) <= 0.98


def test_equal_input_gives_equal_figures() -> None:
    values = np.random.default_rng(6).random(50)
    assert interval(values, samples=500) == interval(list(values), samples=500)
    assert interval(values, samples=500) != interval(values, samples=500, seed=1)


def test_degenerate_samples() -> None:
    assert interval([0.25], samples=200) == (0.25, 0.25)
    assert interval([1.0] * 40, samples=200) == (1.0, 1.0)
    with pytest.raises(ValueError, match="at least one"):
        interval([], samples=200)
    with pytest.raises(ValueError, match="finite"):
        interval([0.1, float("nan")], samples=200)
    with pytest.raises(ValueError, match="paired"):
        paired_difference([1.0], [1.0, 0.0], samples=200, false_alarm_rate=RATE, margin=0)


def test_many_questions_fit_in_memory() -> None:
    values = np.random.default_rng(7).random(50_000)
    low, high = interval(values, samples=200)
    assert low < values.mean() < high


def test_the_sign_flip_test_counts_every_outcome() -> None:
    differences = np.array([-1.0, -0.5, -0.5, 0.25, 0.0, -0.2, 0.1])
    sums = [float(np.dot(signs, differences)) for signs in itertools.product((-1, 1), repeat=len(differences))]
    expected = np.mean([total <= differences.sum() + 1e-9 for total in sums])
    assert p_of_loss(differences, samples=10) == pytest.approx(expected)


@pytest.mark.parametrize(("losses", "wins"), [(5, 0), (9, 2), (60, 40), (150, 120)])
def test_with_scores_of_0_and_1_it_is_mcnemars_exact_test(losses: int, wins: int) -> None:
    differences = [-1.0] * losses + [1.0] * wins + [0.0] * 30
    expected = stats.binomtest(losses, losses + wins, alternative="greater").pvalue
    assert p_of_loss(differences, samples=10) == pytest.approx(expected)


def test_where_outcomes_are_too_many_random_ones_agree_with_scipy() -> None:
    differences = np.random.default_rng(8).normal(-0.03, 0.2, size=120)
    theirs = stats.permutation_test(
        (differences,),
        np.sum,
        permutation_type="samples",
        alternative="less",
        n_resamples=20_000,
        rng=np.random.default_rng(2),
    ).pvalue
    assert p_of_loss(differences, samples=20_000) == pytest.approx(theirs, abs=0.01)


def test_five_lost_questions_are_significant_and_four_are_not() -> None:
    assert decide([-1.0] * 5 + [0.0] * 105).worse
    assert not decide([-1.0] * 4 + [0.0] * 106).worse


def test_a_gain_is_never_worse_and_shows_as_a_difference() -> None:
    gain = decide([1.0] * 12 + [0.0] * 50)
    assert not gain.worse and gain.differs and gain.p_worse == 1.0 and gain.ci95[0] > 0


def test_a_loss_within_the_margin_is_tolerated() -> None:
    losses = [-0.05] * 60 + [-0.03] * 50
    assert decide(losses).worse
    assert not decide(losses, margin=0.1).worse


def test_nothing_different_is_not_worse_and_not_certain_either() -> None:
    same = decide([0.0] * 110)
    assert (same.difference, same.ci95, same.worse, same.p_worse, same.differs) == (0.0, (0.0, 0.0), False, 1.0, False)
    assert 0.04 < same.detectable_effect < 0.07  # about six questions of 110


def test_a_handful_of_questions_cannot_tell_anything() -> None:
    assert decide([-1.0] * 4).detectable_effect == 1.0
    assert not decide([-1.0] * 4).worse


def test_more_questions_and_less_spread_detect_less() -> None:
    rng = np.random.default_rng(9)
    few, many = rng.normal(0, 0.3, 50), rng.normal(0, 0.3, 1_000)
    effects = [detectable_effect(values, false_alarm_rate=RATE, margin=0.0) for values in (few, many, many / 10)]
    assert effects[0] > effects[1] > effects[2] > 0
    assert detectable_effect(many, false_alarm_rate=RATE, margin=0.05) > effects[1] + 0.04


@pytest.mark.parametrize("n", [20, 110])
@pytest.mark.parametrize("discordant", [0.05, 0.3])
def test_without_a_true_difference_it_fires_at_most_at_its_rate(n: int, discordant: float) -> None:
    rng = np.random.default_rng([n, int(discordant * 100)])
    rounds = 1_500
    fired = 0
    for _ in range(rounds):
        differences = rng.choice([-1.0, 0.0, 1.0], size=n, p=[discordant / 2, 1 - discordant, discordant / 2])
        fired += decide(differences, samples=400).worse
    allowed = stats.binom.ppf(0.999, rounds, RATE)
    assert fired <= allowed


def test_the_detectable_effect_is_detected() -> None:
    rng = np.random.default_rng(11)
    n, discordant = 110, 0.1
    variance_at_no_loss = rng.choice([-1.0, 0.0, 1.0], size=100_000, p=[0.05, 0.9, 0.05])[:n]
    loss = detectable_effect(variance_at_no_loss, false_alarm_rate=RATE, margin=0.0)
    chances = [discordant / 2 + loss, 1 - discordant - loss, discordant / 2]
    power = np.mean([decide(rng.choice([-1.0, 0.0, 1.0], size=n, p=chances), samples=400).worse for _ in range(400)])
    assert 0.7 <= power <= 0.95
