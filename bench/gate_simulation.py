"""How often the regression gate stops what is not worse, and how often it notices what is.

    python -m bench.gate_simulation [--rounds 2000] [--samples 1000] [--rate 0.05] [--seed 1] [--json]

`false alarms`: evaluations without a true difference, drawn again and again and decided by the gate's own function,
per shape of scores, number of questions and margin. `observed` is the share that fired with its 95 % Clopper-Pearson
interval. Where candidate and baseline are exchangeable within a question the gate promises at most its rate; the
command fails (exit 1) when the interval at 99.9 % lies above it. The shapes marked `means only` are equal on average
and not exchangeable: no test of finitely many questions can promise a rate for all of these, so they are only shown.

`gates`: the whole gate against the serving release and the best of eight past ones, all equally good, on 60 and 110
questions: with the share of the rate that the gate gives to a release chosen for its figure, and as if it had been
named beforehand.

`power`: how often true losses are noticed. `detectable` is the median over the rounds of what the gate says it would
notice four times out of five, without a loss; its own row is the power at a true loss of that size.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from rag_assets.config import EvaluationSettings
from rag_assets.evaluation.gate import Baseline, judge_quality
from rag_assets.evaluation.model import Evaluation, ItemResult, Metric
from rag_assets.evaluation.statistics import detectable_effect, paired_difference

Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], tuple[Floats, Floats]]
SIZES = (20, 50, 110, 1_000)
PAST_RELEASES = 8
METRIC = "mrr_at_10"


@dataclass(frozen=True)
class Shape:
    """A way to draw the scores of candidate and baseline. `promised`: the gate promises its rate for it."""

    name: str
    draw: Draw
    promised: bool = True


@dataclass(frozen=True)
class Rate:
    """How often something fired in `rounds` rounds, with its 95 % interval."""

    what: str
    n: int
    observed: float
    low: float
    high: float
    rounds: int
    within: bool | None


def flips(share: float) -> Draw:
    """Scores of 0 and 1 of which `share` differ, as often one way as the other."""

    def draw(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
        baseline = (rng.random(n) < 0.8).astype(float)
        differ = rng.random(n) < share
        first = np.where(differ, rng.random(n) < 0.5, baseline).astype(float)
        return first, np.where(differ, 1 - first, baseline)

    return draw


def reciprocal_ranks(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Both find a question at a rank that its own difficulty gives; beyond 10 the score is 0."""
    difficulty = rng.beta(0.6, 1.2, size=n) * 0.95 + 0.02

    def scores() -> Floats:
        ranks = rng.geometric(1 - difficulty)
        return np.where(ranks <= 10, 1 / ranks, 0.0)

    return scores(), scores()


def few_reranked(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Reciprocal ranks of which one question in ten got another one: what a small change of settings does."""
    first, second = reciprocal_ranks(rng, n)
    return np.where(rng.random(n) < 0.1, second, first), first


def skewed(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Graded scores near 1 with a long tail down, and differences of very different sizes."""
    level = rng.beta(8, 1, size=n)
    noise = rng.pareto(1.5, size=n) * 0.02

    def scores() -> Floats:
        return np.clip(level + rng.choice([-1.0, 1.0], size=n) * noise, 0, 1)

    return scores(), scores()


def lopsided(rare: float) -> Draw:
    """Equal means: one question in 25 changes by `rare`, four in ten by a tenth of that the other way."""

    def draw(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
        chance = rng.random(n)
        difference = np.where(chance < 0.04, rare, np.where(chance < 0.44, -rare / 10, 0.0))
        return 0.5 + difference, np.full(n, 0.5)

    return draw


SHAPES = (
    Shape("0/1, 5 % differ", flips(0.05)),
    Shape("0/1, 30 % differ", flips(0.3)),
    Shape("reciprocal ranks", reciprocal_ranks),
    Shape("reciprocal ranks, 10 % anew", few_reranked),
    Shape("graded, long tails", skewed),
    Shape("means only: rare losses, many gains", lopsided(-0.5), promised=False),
    Shape("means only: rare gains, many losses", lopsided(0.5), promised=False),
)


def rate_of(what: str, n: int, fired: int, rounds: int, promised: float | None) -> Rate:
    """The observed rate; `within` says whether it can be `promised`, judged at 99.9 %."""
    from scipy import stats

    test = stats.binomtest(fired, rounds)
    ci95 = test.proportion_ci(0.95)
    within = None if promised is None else bool(test.proportion_ci(0.999).low <= promised)
    return Rate(what, n, fired / rounds, float(ci95.low), float(ci95.high), rounds, within)


def false_alarms(options: argparse.Namespace) -> list[Rate]:
    """Each shape at each size with margin 0, and one with a margin."""
    found = []
    for margin, shapes in ((0.0, SHAPES), (0.02, SHAPES[:3])):
        for number, shape in enumerate(shapes):
            for n in SIZES:
                rng = np.random.default_rng([options.seed, number, n])
                fired = sum(decide(*shape.draw(rng, n), options, margin).worse for _ in range(options.rounds))
                what = shape.name + (f", margin {margin}" if margin else "")
                found.append(rate_of(what, n, fired, options.rounds, options.rate if shape.promised else None))
    return found


def decide(candidate: Floats, baseline: Floats, options: argparse.Namespace, margin: float = 0.0):  # noqa: ANN201
    return paired_difference(candidate, baseline, samples=options.samples, false_alarm_rate=options.rate, margin=margin)


def evaluation_of(name: str, scores: Floats) -> Evaluation:
    """An evaluation that has these scores and nothing else."""
    items = tuple(
        ItemResult(str(at), str(at), "", (), (), True, {METRIC: score}, (), "", False, (), 0.0, None)
        for at, score in enumerate(scores.tolist())
    )
    return Evaluation(name, name, name, name, "", items, {METRIC: Metric(float(scores.mean()), None, len(items))})


def whole_gates(options: argparse.Namespace) -> list[Rate]:
    """The gate against two baselines, one of them the best of several equals."""
    settings = EvaluationSettings(
        primary_metric=METRIC, false_alarm_rate=options.rate, bootstrap_samples=options.samples
    )
    found = []
    for n in (60, 110):
        fired = {PAST_RELEASES: 0, 1: 0}
        rng = np.random.default_rng([options.seed, n])
        for _ in range(options.rounds):
            chance = rng.beta(8, 2, size=n)
            runs = (rng.random((PAST_RELEASES + 1, n)) < chance).astype(float)
            best = max(runs[1:], key=lambda run: float(run.mean()))
            candidate, serving = evaluation_of("candidate", runs[0]), evaluation_of("serving", runs[1])
            chosen = evaluation_of("best", best)
            for chosen_from in fired:
                baselines = [
                    Baseline("serving", "serving", serving),
                    Baseline("best past", "best", chosen, chosen_from),
                ]
                fired[chosen_from] += not judge_quality(candidate, baselines, settings, "").passed
        found.append(rate_of("serving and best of 8", n, fired[PAST_RELEASES], options.rounds, options.rate))
        found.append(rate_of("the same, uncorrected for the choice", n, fired[1], options.rounds, None))
    return found


def powers(options: argparse.Namespace) -> list[Rate]:
    """True losses: questions that were found are lost on top of the changes that mean nothing."""
    found = []
    rounds = max(200, options.rounds // 4)
    for shape in (SHAPES[0], SHAPES[1], SHAPES[3]):
        for n in SIZES[1:]:
            rng = np.random.default_rng([options.seed, n, 7])
            claims = []
            for _ in range(100):
                candidate, baseline = shape.draw(rng, n)
                claims.append(detectable_effect(candidate - baseline, false_alarm_rate=options.rate, margin=0.0))
            claimed = float(np.median(claims))
            for name, loss in (("0.02", 0.02), ("0.05", 0.05), ("0.10", 0.1), (f"detectable {claimed:.3f}", claimed)):
                fired = 0
                for _ in range(rounds):
                    candidate, baseline = shape.draw(rng, n)
                    lost = rng.random(n) < min(1.0, loss / float(candidate.mean()))
                    fired += decide(np.where(lost, 0.0, candidate), baseline, options).worse
                found.append(rate_of(f"{shape.name}: loss {name}", n, fired, rounds, None))
    return found


def show(title: str, rates: list[Rate]) -> None:
    print(f"\n{title}")
    for one in rates:
        said = {True: "  within", False: "  ABOVE", None: ""}[one.within]
        print(f"  {one.what:52} n = {one.n:5,}  {one.observed:6.3f}  ({one.low:.3f} to {one.high:.3f}){said}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2_000)
    parser.add_argument("--samples", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    started = time.monotonic()
    results = {"false alarms": false_alarms(options), "gates": whole_gates(options), "power": powers(options)}
    above = [one for rates in results.values() for one in rates if one.within is False]
    if options.json:
        values = {title: [asdict(one) for one in rates] for title, rates in results.items()}
        print(json.dumps({"options": vars(options), **values, "above": [asdict(one) for one in above]}, indent=2))
    else:
        for title, rates in results.items():
            show(f"{title} (configured rate {options.rate})" if title != "power" else title, rates)
        print(f"\n{time.monotonic() - started:.0f} s; {len(above)} above the configured rate")
    if above:
        sys.exit(1)


if __name__ == "__main__":
    main()
