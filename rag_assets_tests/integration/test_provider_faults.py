"""Real ingest runs against a provider on loopback that does everything wrong, in seeded random mixtures.

What must hold, by the server's own log: every text that has a vector was paid once. Paid means answered with status 200
and a usable vector. A text that is refused, or answered with a broken vector, is sent at most 2 + log2(batch size)
times in a run, and its document is recorded as failed. Every other document ends in the index.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from rag_assets.automation.runs import RunOutcome
from rag_assets.models.isolation import PROBE
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.gateway import gateway_settings, use_gateway
from rag_assets_tests.integration.runs import ingest
from rag_assets_tests.openai_server import QUOTA, Fault, Kind, OpenAIServer, openai_server

__all__ = ["openai_server"]

BATCH_SIZE = 4
MOST_SENDS = 2 + int(math.log2(BATCH_SIZE))
STEP_ATTEMPTS = 3
CLIENT_RETRIES = 2
TIMEOUT_SECONDS = 3
FAULTS: dict[str, tuple[int, Fault | Kind]] = {
    "429 with Retry-After": (8, Fault(status=429, headers={"retry-after": "0.05"}, message="Slow down.")),
    "429 without": (8, Fault(status=429, message="Slow down.")),
    "500": (8, Fault(status=500, message="Internal.")),
    "503": (3, Fault(status=503, headers={"retry-after-ms": "30"}, message="Overloaded.")),
    "cut connection": (8, "cut"),
    "wrong dimension": (6, "wrong_dimension"),
    "NaN": (6, "nan_vectors"),
    "null": (3, "null_vectors"),
    "too few vectors": (3, "missing_vector"),
    "a web page": (3, "html"),
    "quota": (2, QUOTA),
    "timeout": (1, "hang"),
}
REFUSED, DAMAGED, POISON, LARGE = "vermilion", "ochre", "maroon", "sienna"


@dataclass
class Storm:
    """Meets each request with a fault or none until `faults` are used up; the same seed brings the same order."""

    seed: int
    faults: int
    share: float = 0.4

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.met: Counter[str] = Counter()

    def __call__(self) -> Fault | Kind:
        if self.met.total() >= self.faults or self._random.random() > self.share:
            return "ok"
        weights = [weight for weight, _ in FAULTS.values()]
        [name] = self._random.choices(list(FAULTS), weights)
        self.met[name] += 1
        return FAULTS[name][1]


@pytest.fixture
def project(
    small_project: SmallProject, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SmallProject]:
    # Between tries the client and Dagster wait longer and longer, by chance; here they hardly wait.
    monkeypatch.setattr("dagster._core.definitions.policy.random", lambda: 0.0)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    use_gateway(small_project, openai_server, monkeypatch)
    settings = gateway_settings(openai_server, timeout_seconds=TIMEOUT_SECONDS, batch_size=BATCH_SIZE)
    small_project.configure(settings, wiki="")
    yield small_project
    openai_server.released.set()


def write_documents(project: SmallProject, count: int, seed: int) -> set[str]:
    """Documents of a few sections; returns those whose text no provider takes, or answers rightly."""
    chance = random.Random(seed)
    words = [f"{stem}{end}" for stem in ("gat", "lim", "bread", "iris", "queue") for end in ("e", "es", "ing", "ed")]
    bad = dict(zip(chance.sample(range(count), 4), (REFUSED, DAMAGED, POISON, LARGE), strict=True))
    for number in range(count):
        sections = [
            f"## Part {part}\n\n" + " ".join(chance.choices(words, k=150)) + f" {number} {part}." for part in range(3)
        ]
        if number in bad:
            sections[chance.randrange(3)] += f" {bad[number]}."
        project.write(f"wiki/{number:03}.md", f"# Number {number}\n\n" + "\n\n".join(sections) + "\n")
    return {f"{number:03}.md" for number in bad}


def spoil(server: OpenAIServer) -> None:
    """Four texts never get a vector, each for a reason of its own."""
    server.refuse = lambda text: REFUSED in text
    server.damage = lambda text: DAMAGED in text
    server.poison = lambda text: POISON in text
    server.too_large = lambda text: LARGE in text


def ingest_until_it_succeeds(project: SmallProject, most_runs: int) -> list[RunOutcome]:
    """Runs as a person would start them again; every one that fails says why in one line."""
    runs: list[RunOutcome] = []
    while not runs or not runs[-1].succeeded:
        assert len(runs) < most_runs, runs[-1].error
        runs.append(ingest(project, release=False).sources["wiki"])
        if not runs[-1].succeeded:
            error = runs[-1].error
            assert error is not None
            assert error.startswith("Provider 'gateway', model 'text-embedding-3-small': ")
            assert "\n" not in error
    return runs


def weather_the_storm(project: SmallProject, server: OpenAIServer, *, documents: int, storm: Storm) -> list[RunOutcome]:
    """Ingests through `storm` and checks everything that must hold afterwards."""
    bad = write_documents(project, documents, storm.seed)
    spoil(server)
    server.weather = storm
    runs = ingest_until_it_succeeds(project, most_runs=storm.faults + 1)
    everything = {f"{number:03}.md" for number in range(documents)} | {"limits.md", "bread.md"}
    with project.open() as opened:
        generation = opened.generation
        failures = opened.ledger.failures("wiki")
        index = opened.store.vector_index(generation.id, generation.space.dimension)
        rows = index.rows(["uri", "vector"])
        inputs = {row["input_text"]: row["uri"] for row in opened.store.chunks("wiki").rows().to_pylist()}
    indexed = set(rows["uri"].to_pylist())
    assert {failure.uri for failure in failures} == bad
    assert {failure.stage for failure in failures} == {"embed"}
    assert indexed == everything - bad
    vectors = np.stack(rows["vector"].to_numpy(zero_copy_only=False))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    check_what_was_paid(server, inputs, runs)
    return runs


def check_what_was_paid(server: OpenAIServer, inputs: dict[str, str], runs: list[RunOutcome]) -> None:
    spoiled = {text for text in inputs if any(word in text for word in (REFUSED, DAMAGED, POISON, LARGE))}
    assert len(spoiled) == 4
    paid = server.paid.copy()
    del paid[PROBE]
    assert paid == Counter(text for text in inputs if text not in spoiled)
    sent = Counter(server.inputs())
    tries = len(runs) * STEP_ATTEMPTS * (1 + CLIENT_RETRIES)
    assert all(1 <= sent[text] <= MOST_SENDS * tries for text in spoiled)


def drill(project: SmallProject, server: OpenAIServer, *, documents: int, storm: Storm) -> None:
    weather_the_storm(project, server, documents=documents, storm=storm)
    before = server.paid.copy()
    assert ingest(project, release=False).sources["wiki"].succeeded
    assert (server.paid - before).keys() <= {PROBE}


def test_every_document_ends_indexed_or_failed_and_every_input_is_paid_once(
    project: SmallProject, openai_server: OpenAIServer
) -> None:
    storm = Storm(2, faults=14)
    drill(project, openai_server, documents=8, storm=storm)
    assert storm.met.total() >= 10
    assert len(storm.met) >= 5


MET_AT_LEAST = 40  # of the faults of a long storm


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 18))
def test_a_long_storm(project: SmallProject, openai_server: OpenAIServer, seed: int) -> None:
    storm = Storm(seed, faults=80)
    drill(project, openai_server, documents=60, storm=storm)
    assert storm.met.total() >= MET_AT_LEAST


def test_the_storms_hold_every_kind_of_fault() -> None:
    met: Counter[str] = Counter()
    for seed in range(10, 18):
        storm = Storm(seed, faults=MET_AT_LEAST)
        while storm.met.total() < MET_AT_LEAST:
            storm()
        met += storm.met
    assert met.keys() == FAULTS.keys()


def test_in_calm_weather_a_spoiled_text_is_sent_as_often_as_stated(
    project: SmallProject, openai_server: OpenAIServer
) -> None:
    write_documents(project, 6, seed=3)
    spoil(openai_server)
    assert ingest(project, release=False).sources["wiki"].succeeded
    sent = Counter(openai_server.inputs())
    del sent[PROBE]
    assert max(sent.values()) <= MOST_SENDS
    assert set(openai_server.paid.values()) <= {1, openai_server.paid[PROBE]}
