"""Kills at random moments, spread over the steps of a run so that short ones get their share too."""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from rag_assets_tests.integration.crash.drill import Drill, drill
from rag_assets_tests.integration.crash.workers import Ended
from rag_assets_tests.integration.crash.zygote import MAINTENANCE, START

KILLS = 100
KILLS_IN_A_ROW = 5
SEEDS = (1, 2)
"""Two projects, so that two processors have something to do. Each is killed `KILLS` / 2 times."""
SHARES = {
    START: 1, "raw_documents": 3, "chunks": 3, "embeddings": 4, "vector_index": 4, "index_snapshot": 4,
    "eval_report": 1, "release": 3, "keep_in_shape": 4,
}  # fmt: skip
"""Weights of the steps in which kills are meant to fall. The steps of checks between them get what comes late."""

OF_SOURCES = ("raw_documents", "chunks", "embeddings", "vector_index")


class Profile:
    """How long steps took in runs that ended, by the newest of each."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def learn(self, ended: Ended) -> None:
        self._seconds |= {step.name: step.seconds for step in ended.steps if step.seconds is not None}

    def moment_in(self, step: str, rng: random.Random) -> float:
        """Milliseconds after the beginning of `step`: any moment of it, as it was, or shortly after."""
        return rng.uniform(0, 1.1) * 1_000 * self._seconds[step]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", SEEDS)
def test_kills_at_random_moments(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    profile, wanted = Profile(), Counter[str]()
    with drill(tmp_path, seed) as one:
        one.corpus.edit()
        profile.learn(one.finish())
        profile.learn(one.maintain())
        while one.killed.total() < KILLS // len(SEEDS):
            one.corpus.edit()
            step = rng.choices(list(SHARES), list(SHARES.values()))[0]
            wanted[step] += _is_killed_in(one, step, profile, rng)
            if one.killed.total() % KILLS_IN_A_ROW == 0:
                profile.learn(one.finish())
        one.finish()
        one.maintain()
        one.assert_nothing_to_do()
        one.assert_equals_a_clean_ingest(tmp_path / "clean")
    hit = {step.rstrip("+") for step in one.killed}
    missed = {step for step, times in wanted.items() if times > 1} - hit
    assert not missed, f"no kill fell into {missed}: {one.killed}"
    sys.stderr.write(
        f"seed {seed}: {one.killed.total()} kills, {one.lost} answers in flight, by step {dict(one.killed)}\n"
    )


def _is_killed_in(one: Drill, step: str, profile: Profile, rng: random.Random) -> bool:
    """Ends a run in `step`, of either source where it runs for each; False when the run came to its end before."""
    runs = (MAINTENANCE,) if step == "keep_in_shape" else ("ingest", "--json")
    times = len(one.corpus.sources) if step in OF_SOURCES else 1
    moment = (step, rng.randint(1, times), profile.moment_in(step, rng))
    return one.kill(*runs, kill_at=moment, flips=True, may_end=True).was_killed
