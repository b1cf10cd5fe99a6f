"""Kills at named places between two writes that belong together, ten and more at each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rag_assets_tests.integration.crash.corpus import QUESTIONS
from rag_assets_tests.integration.crash.drill import SETTINGS, Drill, drill

KILLS = 10
KILLS_IN_A_ROW = 5
"""So many processes die one after the other before one may finish."""


@dataclass(frozen=True)
class Boundary:
    """A named place. `hits` are the visits that end the process; `delays_ms` spread kills over the operation there.

    `runs` is what is run; `settings` alternate from kill to kill where only a change of them leads there, and `what`
    says what that change is. `flips`: the next release may serve already.
    """

    name: str
    hits: tuple[int, ...] = (1,)
    delays_ms: tuple[int, ...] = ()
    runs: tuple[str, ...] = ("ingest", "--json")
    settings: tuple[str, ...] = ("",)
    flips: bool = False
    what: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.what}".strip()


SPREAD_MS = tuple(range(0, 61, 6))
"""Over an operation that takes some tens of milliseconds."""
WORDS_READ = tuple(
    f"retrieval: {{stemming: {stemming}, stop_words: {stop_words}}}\n"
    for stemming, stop_words in (("false", "true"), ("false", "false"), ("true", "false"), ("true", "true"))
)
"""Each differs from the two before it: whichever of the two indices a kill left built, both are built anew."""
GENERATIONS = ("chunking: {max_tokens: 48}\n", "")
"""Chunks of another size are another generation, with an index of its own."""
BOUNDARIES = (
    Boundary("store.between_upsert_and_delete", hits=(1, 2)),
    Boundary("snapshot.between_pin_and_ledger"),
    Boundary("embeddings.between_intent_and_call"),
    Boundary("embeddings.between_received_and_stored"),
    Boundary("store.during_compaction", hits=(1, 2, 3), delays_ms=SPREAD_MS, runs=("maintenance",)),
    Boundary(
        "store.during_index_build", hits=(1, 2), delays_ms=tuple(range(0, 61, 6)), settings=WORDS_READ, flips=True
    ),
    Boundary("raw_documents.between_denied_and_removed"),
    Boundary("raw_documents.between_written_and_origins"),
    Boundary("release.between_recorded_and_serving"),
    Boundary("release.between_recorded_and_serving", settings=GENERATIONS, what="of another generation"),
    Boundary("release.between_serving_and_revocations", flips=True),
    Boundary("evaluation.between_stored_and_verdict", settings=(f"evaluation: {{questions: [{QUESTIONS}]}}\n",)),
)


def test_two_kills_and_a_run_to_the_end(tmp_path: Path) -> None:
    with drill(tmp_path, 4, ("atlas",)) as one:
        one.corpus.edit()
        one.kill(failpoint="embeddings.between_received_and_stored")
        one.corpus.edit()
        one.kill(failpoint="store.between_upsert_and_delete@2")
        one.finish()


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """One project for all boundaries, for its history is part of the test; in the end it equals one without any."""
    folder = tmp_path_factory.mktemp("boundaries")
    with drill(folder, seed=4) as one:
        yield one
        one.finish()
        one.maintain()
        one.assert_nothing_to_do()
        one.assert_equals_a_clean_ingest(folder / "clean")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("boundary", BOUNDARIES, ids=str)
def test_kills_at(boundary: Boundary, drilled: Drill) -> None:
    rng = random.Random(boundary.name)
    for number in range(KILLS):
        drilled.corpus.edit()
        drilled.corpus.configure(SETTINGS + boundary.settings[number % len(boundary.settings)])
        drilled.kill(*boundary.runs, failpoint=_place(boundary, number, rng), flips=boundary.flips)
        if (number + 1) % KILLS_IN_A_ROW == 0:
            drilled.finish()


def _place(boundary: Boundary, number: int, rng: random.Random) -> str:
    hit = boundary.hits[number % len(boundary.hits)]
    delay = f"+{rng.choice(boundary.delays_ms)}" if boundary.delays_ms else ""
    return f"{boundary.name}@{hit}{delay}"
