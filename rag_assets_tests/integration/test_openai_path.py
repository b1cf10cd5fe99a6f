"""Ingest, release and ask with the models of an OpenAI-compatible server, and with everything such a server does wrong.

The counts are the server's own: what arrived there, not what was counted here.
"""

from __future__ import annotations

from collections import Counter

import dagster as dg
import numpy as np
import pytest

from rag_assets.automation.runs import RunOutcome
from rag_assets.errors import AuthenticationError, ConfigurationError, NoReleaseError, ProviderUnavailableError
from rag_assets.ingestion.decisions import retry
from rag_assets.models.chat import ChatModel
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.gateway import (
    FLOWERS,
    KEY_VARIABLE,
    LIMITS,
    MARK,
    embedding_requests,
    use_gateway,
)
from rag_assets_tests.integration.runs import found_texts, ingest, serving
from rag_assets_tests.openai_server import QUOTA, UNAUTHORIZED, Fault, Kind, OpenAIServer, openai_server

__all__ = ["openai_server"]

BUSY = Fault(status=429, headers={"retry-after": "0.01"}, message="Slow down.")
BROKEN = Fault(status=500, headers={"retry-after": "0.01"}, message="Internal.")
QUESTION = "How long does the gateway wait?"
STEP_ATTEMPTS = 3


@pytest.fixture
def gateway(small_project: SmallProject, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> SmallProject:
    # Retried steps wait a random time; here they wait none of it.
    monkeypatch.setattr("dagster._core.definitions.policy.random", lambda: 0.0)
    use_gateway(small_project, openai_server, monkeypatch)
    return small_project


def stored(project: SmallProject) -> tuple[int, int, int]:
    """How many documents, chunks and index rows there are."""
    with project.open() as opened:
        generation = opened.generation
        return (
            opened.store.raw_documents("wiki").count(),
            opened.store.chunks("wiki").count(),
            opened.store.vector_index(generation.id, generation.space.dimension).count(),
        )


def failed_run(project: SmallProject) -> RunOutcome:
    """The source's run, which must have failed after the chunks and before the index."""
    run = ingest(project, release=False).sources["wiki"]
    assert not run.succeeded
    assert set(run.materialized) == {"raw_documents", "chunks"}
    assert run.error is not None
    assert "\n" not in run.error
    assert "Traceback" not in run.error
    assert stored(project) == (2, 2, 0)
    return run


def test_answers_with_citations_and_embeds_each_input_once(gateway: SmallProject, openai_server: OpenAIServer) -> None:
    assert all(run.succeeded for run in ingest(gateway).runs)
    with gateway.open() as project:
        answer = project.ask(QUESTION)
        assert (answer.answerable, answer.model) == (True, "gpt-4o-mini")
        assert "forty seconds" in answer.answer or "sourdough" in answer.answer or "ninety-six" in answer.answer
        assert [citation.n for citation in answer.citations] == [1]
        assert answer.citations[0].quote in LIMITS + (gateway.root / "wiki/bread.md").read_text("utf-8")
        assert answer.cost_usd is not None
        assert answer.cost_usd > 0
        calls = project.ledger.usage(answer_id=answer.answer_id)
        assert {(call.provider, call.operation, call.requests) for call in calls} == {
            ("gateway", "embedding", 1),
            ("gateway", "chat", 1),
        }
        space = project.release().space
    assert space.startswith("text-embedding-3-small-1536-")
    assert all(run.succeeded for run in ingest(gateway).runs)
    sent = Counter(text for text in openai_server.inputs() if text != QUESTION)
    assert len(sent) == 2
    assert set(sent.values()) == {1}


def test_the_index_holds_the_servers_vectors_at_unit_length(gateway: SmallProject, openai_server: OpenAIServer) -> None:
    ingest(gateway)
    with gateway.open() as project:
        generation = project.generation
        index = project.store.vector_index(generation.id, generation.space.dimension)
        vectors = {row["chunk_id"]: row["vector"] for row in index.rows(["chunk_id", "vector"]).to_pylist()}
        inputs = {row["chunk_id"]: row["input_text"] for row in project.store.chunks("wiki").rows().to_pylist()}
    assert vectors.keys() == inputs.keys()
    for key, text in inputs.items():
        expected = openai_server.vector(text)
        np.testing.assert_allclose(vectors[key], expected / np.linalg.norm(expected), atol=1e-6)


def test_a_wrong_key_fails_once_and_what_was_read_stays(gateway: SmallProject, openai_server: OpenAIServer) -> None:
    openai_server.script(*[UNAUTHORIZED] * 20)
    run = failed_run(gateway)
    assert run.error == (
        "Provider 'gateway', model 'text-embedding-3-small': status 401, the key was refused. "
        "Check the key of provider 'gateway'."
    )
    assert embedding_requests(openai_server) == 1
    assert gateway.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_UP_FOR_RETRY) == []
    with gateway.open() as project, pytest.raises(NoReleaseError):
        project.ask(QUESTION)


def test_a_missing_key_names_its_variable(gateway: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE)
    error = failed_run(gateway).error
    assert error is not None
    assert f"the environment variable {KEY_VARIABLE}, which is not set" in error


def test_a_busy_server_is_asked_again_as_it_says(gateway: SmallProject, openai_server: OpenAIServer) -> None:
    openai_server.script(BUSY, BUSY)
    assert ingest(gateway).sources["wiki"].succeeded
    assert embedding_requests(openai_server) == 3
    assert stored(gateway) == (2, 2, 2)
    with gateway.open() as project:
        assert [(call.operation, call.requests) for call in project.ledger.usage(source="wiki")] == [("embedding", 3)]


def test_a_quota_that_is_used_up_is_final(gateway: SmallProject, openai_server: OpenAIServer) -> None:
    openai_server.script(*[QUOTA] * 20)
    error = failed_run(gateway).error
    assert error is not None
    assert "status 429, the quota or credit is used up" in error
    assert embedding_requests(openai_server) == 1


def test_a_server_that_stays_broken_ends_the_run_after_bounded_retries(
    gateway: SmallProject, openai_server: OpenAIServer
) -> None:
    openai_server.script(*[BROKEN] * 50)
    error = failed_run(gateway).error
    assert error is not None
    assert "status 500" in error
    assert embedding_requests(openai_server) == STEP_ATTEMPTS * 3  # each attempt of the step: a request and two retries


def test_a_server_that_recovers_is_paid_once(gateway: SmallProject, openai_server: OpenAIServer) -> None:
    openai_server.script(*[BROKEN] * 4)  # one attempt of the step fails, the next succeeds
    assert ingest(gateway).sources["wiki"].succeeded
    assert embedding_requests(openai_server) == 5
    with gateway.open() as project:
        assert project.ledger.usage_totals(source="wiki").calls == 1


def test_a_server_that_hangs_is_given_up(
    gateway: SmallProject, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_gateway(gateway, openai_server, monkeypatch, max_retries=0, timeout_seconds=0.2)
    openai_server.script(*[Fault(kind="hang")] * 50)
    error = failed_run(gateway).error
    assert error is not None
    assert "no answer within the time limit" in error
    assert embedding_requests(openai_server) == STEP_ATTEMPTS


@pytest.mark.parametrize("kind", ["nan_vectors", "wrong_dimension", "zero_vectors", "null_vectors", "html"])
def test_a_server_whose_vectors_are_no_vectors_changes_nothing(
    gateway: SmallProject, openai_server: OpenAIServer, kind: Kind
) -> None:
    openai_server.script(*[Fault(kind=kind)] * 20)
    failed_run(gateway)
    assert embedding_requests(openai_server) == 2  # the documents, and a harmless text
    with gateway.open() as project:
        space = project.generation.space
        assert project.store.embeddings(space.name, space.dimension).count() == 0


@pytest.mark.parametrize("fault", ["refuse", "damage"])
def test_one_bad_input_fails_its_document_alone(
    gateway: SmallProject, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(openai_server, fault, lambda text: MARK in text)
    gateway.write("wiki/flowers.md", FLOWERS)
    outcome = ingest(gateway)
    assert all(run.succeeded for run in outcome.runs)
    with gateway.open() as project:
        failures = project.ledger.failures("wiki")
        assert [(failure.uri, failure.stage, failure.attempts) for failure in failures] == [("flowers.md", "embed", 1)]
        assert {hit.uri for hit in project.search("iris", k=20)[1]} == {"limits.md", "bread.md"}
    assert stored(gateway) == (3, 3, 2)
    before = openai_server.inputs()
    gateway.write("wiki/meadow.md", FLOWERS)
    assert all(run.succeeded for run in ingest(gateway).runs)
    assert openai_server.inputs() == before  # what was refused is not sent again, whoever has it
    monkeypatch.setattr(openai_server, fault, lambda text: False)
    with gateway.open() as project:
        failures = project.ledger.failures("wiki")
        assert [(one.uri, one.stage, one.attempts) for one in failures] == [
            ("flowers.md", "embed", 1),
            ("meadow.md", "embed", 0),
        ]
        retry("wiki", failures[:1], store=project.store, ledger=project.ledger)
    ingest(gateway)
    assert len(openai_server.inputs()) - len(before) == 1
    assert any(MARK in text for text in found_texts(gateway, "iris"))
    with gateway.open() as project:
        assert project.ledger.failures("wiki") == []


def test_an_edit_that_cannot_be_embedded_leaves_the_earlier_text_served(
    gateway: SmallProject, openai_server: OpenAIServer
) -> None:
    ingest(gateway)
    first = serving(gateway)
    openai_server.refuse = lambda text: MARK in text
    gateway.write("wiki/limits.md", LIMITS.replace("forty", MARK))
    assert all(run.succeeded for run in ingest(gateway).runs)
    assert serving(gateway) == first
    assert any("forty seconds" in text for text in found_texts(gateway, QUESTION))


def test_a_chat_model_that_fails_leaves_the_release_and_records_no_answer(
    gateway: SmallProject, openai_server: OpenAIServer
) -> None:
    ingest(gateway)
    with gateway.open() as project:
        openai_server.script("ok", UNAUTHORIZED)
        with pytest.raises(AuthenticationError, match="gpt-4o-mini"):
            project.ask(QUESTION)
        openai_server.script("ok", *[BROKEN] * 3)
        with pytest.raises(ProviderUnavailableError, match="status 500"):
            project.ask(QUESTION)
        assert project.ask(QUESTION).answerable


def test_a_release_whose_provider_left_the_configuration_says_so(gateway: SmallProject) -> None:
    ingest(gateway)
    gateway.configure(wiki="")
    with gateway.open() as project:
        for ask in (project.ask, project.search):
            with pytest.raises(ConfigurationError, match="provider 'gateway', which the config"):
                ask(QUESTION)
    assert all(run.succeeded for run in ingest(gateway).runs)
    with gateway.open() as project:
        assert project.ask(QUESTION).model == "extractive-reader"


def test_an_answer_that_cites_nothing_it_stands_on_becomes_the_refusal(
    gateway: SmallProject, openai_server: OpenAIServer
) -> None:
    ingest(gateway)
    openai_server.reply = lambda body: "The moon is made of cheese [1]. Ask [99] about it."
    with gateway.open() as project:
        answer = project.ask(QUESTION)
        assert (answer.answerable, answer.citations) == (False, ())
        assert answer.answer == project.prompts.refusal
        assert answer.usage["input_tokens"] > 0


def test_an_answer_can_be_streamed(gateway: SmallProject, openai_server: OpenAIServer) -> None:
    openai_server.reply = lambda body: "The gateway waits forty seconds [1]."
    with gateway.open() as project, ChatModel(project.settings.models, project.ledger.usage_sink()) as chat:
        stream = chat.stream([{"role": "user", "content": QUESTION}])
        assert list(stream) == ["The", " gateway", " waits", " forty", " seconds", " [1]."]
        assert stream.result is not None
        assert (stream.result.text, stream.result.finish_reason) == ("The gateway waits forty seconds [1].", "stop")
        assert project.ledger.usage_totals().output_tokens == stream.result.output_tokens > 0
    assert openai_server.requests[-1].body["stream"] is True
