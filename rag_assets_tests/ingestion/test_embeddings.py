"""The embedding stage: each input is sent once, whatever dies or runs beside it, and nothing grows with the texts."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from rag_assets.errors import QuotaError, StoreError
from rag_assets.fingerprints import data_version, sha256_hex
from rag_assets.ingestion import embeddings_version, input_windows
from rag_assets.ingestion.input_hashes import raw_of
from rag_assets.ingestion.landing import take_over_all
from rag_assets.ingestion.spool import Received, Spool
from rag_assets_tests.ingestion.embedding import DIMENSION, EmbeddingStage, embed_until, hashes_of, sent
from rag_assets_tests.openai_server import QUOTA, OpenAIServer

TEXTS = [f"text number {number}" for number in range(20)]


@pytest.fixture
def stage(tmp_path: Path, openai_server: OpenAIServer) -> Iterator[EmbeddingStage]:
    opened = EmbeddingStage(tmp_path, openai_server.base_url)
    yield opened
    opened.close()


def test_each_input_is_embedded_once_ever(stage: EmbeddingStage, openai_server: OpenAIServer) -> None:
    stage.chunks("a", [*TEXTS, TEXTS[0], TEXTS[7]])
    first = stage.embed()
    assert (first.rows, first.embedded, first.reused, first.commits) == (20, 20, 0, 1)
    assert stage.stored() == hashes_of(TEXTS)
    assert sent(openai_server) == Counter(TEXTS)
    second = stage.embed()
    assert (second.rows, second.embedded, second.reused, second.commits) == (20, 0, 20, 0)
    assert second.data_version == first.data_version
    stage.chunks("b", [*TEXTS[:3], "another"])
    other = stage.embed("b")
    assert (other.rows, other.embedded, other.reused) == (4, 1, 3)
    assert sent(openai_server) == Counter([*TEXTS, "another"])
    assert stage.left_over() == []


def test_the_data_version_is_that_of_the_hashes(stage: EmbeddingStage) -> None:
    chunks = stage.chunks("a", TEXTS)
    made = stage.embed().data_version
    expected = data_version(((sha256_hex(text), "") for text in TEXTS), stage.embedder.space.fingerprint)
    assert made == expected == embeddings_version(chunks, stage.vectors, stage.embedder.space)


def test_windows_hold_each_wanted_input_once(stage: EmbeddingStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_windows, "WINDOW_INPUTS", 3)
    stage.chunks("a", [*TEXTS, *TEXTS])
    stage.embed()
    assert stage.stored() == hashes_of(TEXTS)
    vectors = stage.vectors.rows(["input_hash", "vector", "token_count"]).to_pylist()
    assert all(abs(np.linalg.norm(row["vector"]) - 1) < 1e-5 and row["token_count"] > 0 for row in vectors)


def test_what_arrived_before_the_provider_failed_is_kept(stage: EmbeddingStage, openai_server: OpenAIServer) -> None:
    stage.chunks("a", TEXTS)
    openai_server.script("ok", "ok", QUOTA)
    with pytest.raises(QuotaError):
        stage.embed()
    kept = sum(stage.stored().values())
    assert 8 <= kept <= 16
    assert stage.left_over() == []
    assert stage.embed().embedded == 20 - kept
    assert stage.stored() == hashes_of(TEXTS)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_refused_input_is_not_sent_again(stage: EmbeddingStage, openai_server: OpenAIServer, damaged: bool) -> None:
    bad = TEXTS[5]
    if damaged:
        openai_server.damage = lambda text: text == bad
    else:
        openai_server.refuse = lambda text: text == bad
    stage.chunks("a", TEXTS)
    first = stage.embed()
    assert (first.rows, first.embedded, first.failed_documents) == (19, 19, 1)
    assert [failure.uri for failure in stage.ledger.failures("a")] == ["5.md"]
    asked = len(openai_server.requests)
    second = stage.embed()
    assert (second.rows, second.embedded, second.failed_documents) == (19, 0, 1)
    assert (len(openai_server.requests), second.commits) == (asked, 0)
    assert [failure.attempts for failure in stage.ledger.failures("a")] == [1]
    openai_server.damage = openai_server.refuse = lambda text: False
    stage.ledger.forget_refused([sha256_hex(bad)])
    third = stage.embed()
    assert (third.rows, third.embedded, third.failed_documents) == (20, 1, 0)
    assert stage.ledger.failures("a") == []


@pytest.mark.parametrize(
    ("failpoint", "rescued"),
    [("embeddings.between_intent_and_call", 0), ("embeddings.between_received_and_stored@3", 12)],
)
def test_a_killed_process_leaves_nothing_to_buy_twice_and_no_wait(
    stage: EmbeddingStage, openai_server: OpenAIServer, failpoint: str, rescued: int
) -> None:
    stage.chunks("a", TEXTS)
    spawn = multiprocessing.get_context("spawn")
    killed = spawn.Process(target=embed_until, args=(stage.folder, openai_server.base_url, failpoint))
    killed.start()
    killed.join(timeout=120)
    assert killed.exitcode == -signal.SIGKILL
    assert stage.left_over() != []
    assert sum(stage.stored().values()) == 0

    result = stage.embed()
    assert (result.rows, result.embedded) == (20, 20 - rescued)
    assert stage.stored() == hashes_of(TEXTS)
    assert stage.left_over() == []
    assert sent(openai_server) == Counter(TEXTS)


def test_maintenance_rescues_what_a_dead_process_received(stage: EmbeddingStage, openai_server: OpenAIServer) -> None:
    stage.chunks("a", TEXTS)
    dead = Spool(stage.spool / stage.embedder.space.name)
    dead.next_window()
    hashes = [sha256_hex(text) for text in TEXTS]
    dead.append(Received(raw_of(hashes), np.eye(20, DIMENSION, dtype=np.float32), np.ones(20, np.int32)))
    stage.ledger.claim_inputs(stage.embedder.space.name, hashes, dead.owner, "here", timedelta(hours=1))
    assert take_over_all(stage.spool, stage.store, stage.ledger) == 0
    dead.close()
    assert take_over_all(stage.spool, stage.store, stage.ledger) == 1
    assert stage.left_over() == []
    assert stage.stored() == hashes_of(TEXTS)
    assert (stage.embed().embedded, openai_server.requests) == (0, [])


def test_two_runs_at_once_share_the_inputs(
    stage: EmbeddingStage, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_windows, "WINDOW_INPUTS", 4)
    texts = [f"shared text {number}" for number in range(80)]
    stage.chunks("a", texts)
    stage.chunks("b", list(reversed(texts)))
    other = EmbeddingStage(stage.folder, openai_server.base_url)
    results = []
    threads = [
        threading.Thread(target=lambda at=at, name=name: results.append(at.embed(name)))
        for at, name in ((stage, "a"), (other, "b"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    other.close()
    assert [result.rows for result in results] == [80, 80]
    assert sum(result.embedded for result in results) == 80
    assert sent(openai_server) == Counter(texts)
    assert stage.stored() == hashes_of(texts)
    assert stage.left_over() == []


def test_the_inputs_of_a_run_that_fails_are_embedded_by_the_one_that_waits(
    stage: EmbeddingStage, openai_server: OpenAIServer
) -> None:
    stage.chunks("a", TEXTS)
    stage.chunks("b", TEXTS)
    other = EmbeddingStage(stage.folder, openai_server.base_url, batch_size=64)
    openai_server.script("hang")
    failed: list[Exception] = []

    def fail() -> None:
        try:
            other.embed("b")
        except Exception as error:
            failed.append(error)

    first = threading.Thread(target=fail)
    first.start()
    while not openai_server.requests:
        first.join(0.01)
    waits = threading.Event()

    def on_progress(what: str, done: int, total: int) -> None:
        if "another" in what:
            waits.set()

    second = threading.Thread(target=lambda: stage.embed(progress=on_progress))
    second.start()
    assert waits.wait(timeout=30)
    openai_server.released.set()
    first.join(timeout=60)
    second.join(timeout=60)
    other.close()
    assert stage.stored() == hashes_of(TEXTS)
    assert stage.left_over() == []


def test_claims_of_another_machine_end_with_their_lease(stage: EmbeddingStage, openai_server: OpenAIServer) -> None:
    stage.chunks("a", TEXTS)
    hashes = [sha256_hex(text) for text in TEXTS]
    space = stage.embedder.space.name
    stage.ledger.claim_inputs(space, hashes, "f" * 32, "elsewhere", timedelta(seconds=1.5))
    result = stage.embed()
    assert (result.embedded, result.rows) == (20, 20)
    assert stage.ledger.claimants(space, hashes) == []


def test_a_spool_that_cannot_be_written_is_a_clear_error(stage: EmbeddingStage, openai_server: OpenAIServer) -> None:
    stage.chunks("a", TEXTS)
    stage.spool.write_text("in the way")
    with pytest.raises(StoreError, match="spool"):
        stage.embed()
    assert openai_server.requests == []
    stage.spool.unlink()
    assert stage.embed().embedded == 20
