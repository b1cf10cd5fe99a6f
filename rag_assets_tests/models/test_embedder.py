from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from rag_assets.config import EmbeddingSettings, ModelSettings, Price, ProviderSettings
from rag_assets.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    InvalidVectorError,
    ModelError,
    ProviderUnavailableError,
    QueryError,
    QuotaError,
)
from rag_assets.models.embedder import EmbeddedBatch, Embedder
from rag_assets.models.embedding_space import embedding_space
from rag_assets.models.usage import UsageMeter
from rag_assets_tests.openai_server import API_KEY, QUOTA, UNAUTHORIZED, Fault, OpenAIServer

TEXTS = [f"text number {n}" for n in range(20)]


def _settings(
    server: OpenAIServer,
    *,
    embedding: dict[str, Any] | None = None,
    provider: dict[str, Any] | None = None,
    prices: dict[str, Price] | None = None,
) -> ModelSettings:
    defaults: dict[str, Any] = {
        "provider": "team",
        "model": "test-embedding",
        "dimension": 8,
        "max_input_tokens": 50,
        "tokenizer": "o200k_base",
        "batch_size": 4,
    }
    return ModelSettings(
        providers={
            "team": ProviderSettings(
                **{"base_url": server.base_url, "api_key_env": "TEST_KEY", "max_retries": 0, "timeout_seconds": 30}
                | (provider or {})
            )
        },
        embedding=EmbeddingSettings(**defaults | (embedding or {})),
        prices=prices or {},
    )


@pytest.fixture
def make(openai_server):
    made: list[Embedder] = []

    def _make(usage: UsageMeter | None = None, **changes: Any) -> Embedder:
        settings = _settings(openai_server, **changes)
        made.append(Embedder(settings, usage, environment={"TEST_KEY": API_KEY}))
        return made[-1]

    yield _make
    for embedder in made:
        embedder.close()


def _by_index(batches: Iterable[EmbeddedBatch]) -> dict[int, Any]:
    return {i: vector for batch in batches for i, vector in zip(batch.indices, batch.vectors, strict=True)}


def _failures(batches: Iterable[EmbeddedBatch]) -> dict[int, ModelError]:
    return {i: error for batch in batches for i, error in batch.failures}


def test_every_text_gets_its_own_vector_of_unit_length(make, openai_server):
    batches = list(make().embed_documents(TEXTS))
    vectors = _by_index(batches)
    assert sorted(vectors) == list(range(20))
    for index, text in enumerate(TEXTS):
        wanted = openai_server.vector(text)
        np.testing.assert_allclose(vectors[index], wanted / np.linalg.norm(wanted), atol=1e-6)
        assert vectors[index].dtype == np.float32
    assert [len(request.inputs) for request in openai_server.requests] == [4] * 5
    assert sorted(openai_server.inputs()) == sorted(TEXTS)
    assert all(request.body["encoding_format"] == "base64" for request in openai_server.requests)


def test_requests_are_limited_at_once(make, openai_server):
    list(make(provider={"max_concurrency": 2}, embedding={"batch_size": 1}).embed_documents(TEXTS))
    assert 1 <= openai_server.most_in_flight <= 2


def test_a_reader_that_stops_stops_the_spending(make, openai_server):
    batches = make(provider={"max_concurrency": 1}, embedding={"batch_size": 1}).embed_documents(TEXTS)
    next(batches)
    batches.close()
    assert len(openai_server.requests) <= 2


def test_requests_stay_within_the_tokens_of_one_request(make, openai_server):
    openai_server.dimension = 1_536
    changes = {"model": "text-embedding-3-small", "dimension": None, "max_input_tokens": None, "batch_size": 2_048}
    texts = ["word " * 8_000] * 60  # 480,000 tokens
    batches = list(make(embedding=changes | {"tokenizer": None}).embed_documents(texts))
    assert sorted(len(request.inputs) for request in openai_server.requests) == [23, 37]
    assert sum(len(batch.indices) for batch in batches) == 60
    assert max(sum(batch.token_counts) for batch in batches) <= 300_000


def test_lists_of_numbers_are_read_too(make, openai_server):
    openai_server.script("number_lists")
    [vector] = _by_index(make().embed_documents(["one"])).values()
    wanted = openai_server.vector("one")
    np.testing.assert_allclose(vector, wanted / np.linalg.norm(wanted), atol=1e-6)


def test_a_shorter_dimension_is_asked_for(make, openai_server):
    openai_server.dimension = 1_536
    changes = {"model": "text-embedding-3-small", "dimension": 256, "max_input_tokens": None}
    assert make(embedding=changes).embed_query("one").shape == (256,)
    assert openai_server.requests[0].body["dimensions"] == 256


def test_prefixes_are_sent_and_belong_to_the_space(make, openai_server):
    embedder = make(embedding={"document_prefix": "passage: ", "query_prefix": "query: "})
    list(embedder.embed_documents(["one"]))
    embedder.embed_query("two")
    assert openai_server.inputs() == ["passage: one", "query: two"]
    assert embedder.space.fingerprint != make().space.fingerprint
    assert embedder.space.name.startswith("test-embedding-8-")


def test_blank_and_over_long_texts_are_reported_and_never_sent(make, openai_server):
    long = "word " * 60
    batches = list(make().embed_documents(["good", "  ", long, "fine"]))
    failures = _failures(batches)
    assert sorted(_by_index(batches)) == [0, 3]
    assert sorted(failures) == [1, 2]
    assert "reads at most 50" in str(failures[2])
    assert openai_server.inputs() == ["good", "fine"]


def test_a_text_the_provider_refuses_stands_alone(make, openai_server):
    openai_server.refuse = lambda text: text.endswith((" 5", " 14"))
    batches = list(make(embedding={"batch_size": 16}).embed_documents(TEXTS))
    failures = _failures(batches)
    assert sorted(failures) == [5, 14]
    assert all(isinstance(error, InvalidRequestError) for error in failures.values())
    assert sorted(_by_index(batches)) == sorted(set(range(20)) - {5, 14})


def test_a_request_that_is_wrong_in_itself_is_not_halved(make, openai_server):
    with pytest.raises(InvalidRequestError, match="status 404"):
        list(make(embedding={"model": "no-such-model"}, provider={"max_concurrency": 1}).embed_documents(TEXTS))
    assert len(openai_server.requests) == 2  # the batch and the probe


@pytest.mark.parametrize("fault", [UNAUTHORIZED, QUOTA, Fault(status=500), "hang", "cut"])
def test_what_arrived_before_a_failure_is_kept(make, openai_server, fault):
    openai_server.script("ok", "ok", fault)
    got: list[int] = []
    changes = {"max_concurrency": 1, "timeout_seconds": 1 if fault == "hang" else 30}
    with pytest.raises((AuthenticationError, QuotaError, ProviderUnavailableError)):
        for batch in make(provider=changes).embed_documents(TEXTS):
            got += batch.indices
    assert got == list(range(8))
    assert len(openai_server.requests) == 3


def test_requests_under_way_when_another_fails_are_kept(make, openai_server):
    openai_server.script(Fault(status=500))
    got: list[int] = []
    with pytest.raises(ProviderUnavailableError):
        for batch in make(provider={"max_concurrency": 3}).embed_documents(TEXTS):
            got += batch.indices
    answered = [request.inputs for request in openai_server.requests[1:]]
    assert sorted(TEXTS[i] for i in got) == sorted(text for inputs in answered for text in inputs)


def test_one_broken_vector_fails_its_text_alone(make, openai_server):
    openai_server.damage = lambda text: text.endswith(" 7")
    batches = list(make().embed_documents(TEXTS))
    [(index, error)] = _failures(batches).items()
    assert index == 7
    assert isinstance(error, InvalidVectorError)
    assert "NaN" in str(error)
    assert "input 7" in str(error)
    assert len(_by_index(batches)) == 19


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("nan_vectors", "NaN"),
        ("zero_vectors", "the vector is zero"),
        ("null_vectors", "the vector is null"),
        ("wrong_dimension", "7 dimensions instead of 8"),
        ("missing_vector", "1 texts were sent and 0 vectors came back"),
        ("html", "not in the OpenAI format"),
    ],
)
def test_a_provider_that_answers_a_harmless_text_with_rubbish_stops_everything(make, openai_server, fault, says):
    openai_server.script(*[fault] * 10)
    with pytest.raises(InvalidVectorError, match=says):
        list(make(provider={"max_concurrency": 1}).embed_documents(TEXTS))
    assert [len(request.inputs) for request in openai_server.requests] == [4, 1]  # the batch and the probe


RUBBISH = ["nan_vectors", "zero_vectors", "null_vectors", "wrong_dimension", "missing_vector", "html"]


@pytest.mark.parametrize("fault", RUBBISH)
def test_rubbish_that_passes_fails_no_text(make, openai_server, fault):
    openai_server.script("ok", fault)
    batches = list(make(provider={"max_concurrency": 1}).embed_documents(TEXTS))
    assert sorted(_by_index(batches)) == list(range(20))
    assert _failures(batches) == {}
    assert [len(request.inputs) for request in openai_server.requests] == [4, 4, 1, 2, 2, 4, 4, 4]
    assert openai_server.paid == Counter(TEXTS) + Counter(["test"])


@pytest.mark.parametrize("fault", RUBBISH)
def test_a_text_alone_is_sent_twice_before_it_fails(make, openai_server, fault):
    openai_server.script(fault)
    [(index, _)] = _by_index(make().embed_documents(["alone"])).items()
    assert index == 0
    assert openai_server.inputs() == ["alone", "test", "alone"]
    openai_server.script(fault, "ok", fault)
    [(index, error)] = _failures(make().embed_documents(["alone"])).items()
    assert (index, type(error)) == (0, InvalidVectorError)
    assert openai_server.inputs()[3:] == ["alone", "test", "alone"]


@pytest.mark.parametrize("spoils", ["refuse", "too_large", "damage", "poison"])
@pytest.mark.parametrize("bad", [{5}, {0, 1}, {3, 4, 11}, set(range(20))])
def test_the_texts_that_spoil_requests_are_found_and_the_others_paid_once(make, openai_server, spoils, bad):
    wrong = {TEXTS[index] for index in bad}
    setattr(openai_server, spoils, lambda text: text in wrong)
    batches = list(make(embedding={"batch_size": 8}).embed_documents(TEXTS))
    assert set(_failures(batches)) == bad
    assert sorted(_by_index(batches)) == sorted(set(range(20)) - bad)
    sent = Counter(openai_server.inputs())
    assert max(sent[text] for text in TEXTS) <= 2 + math.log2(8)
    probes = sent.pop("test", 0)
    assert probes <= 3
    assert openai_server.paid == Counter(text for text in TEXTS if text not in wrong) + Counter({"test": probes})


def test_a_vector_that_is_broken_once_is_asked_for_again_alone(make, openai_server):
    broken = iter([True])
    openai_server.damage = lambda text: text == TEXTS[7] and next(broken, False)
    batches = list(make(provider={"max_concurrency": 1}).embed_documents(TEXTS))
    assert _failures(batches) == {}
    assert openai_server.requests[2].inputs == [TEXTS[7]]
    assert openai_server.paid == Counter(TEXTS)


@pytest.mark.parametrize("fault", ["nan_vectors", "zero_vectors", "null_vectors", "wrong_dimension"])
def test_a_question_never_gets_a_broken_vector(make, openai_server, fault):
    openai_server.script(fault)
    with pytest.raises(InvalidVectorError):
        make().embed_query("why")


@pytest.mark.parametrize("question", ["", " \n", "word " * 100])
def test_a_question_that_cannot_be_embedded_is_not_sent(make, openai_server, question):
    with pytest.raises(QueryError):
        make().embed_query(question)
    assert openai_server.requests == []


def test_usage_is_what_the_provider_reports(make, openai_server):
    meter = UsageMeter()
    prices = {"test-embedding": Price(input_usd=2.0)}
    batches = list(make(meter, prices=prices).embed_documents(TEXTS))
    assert meter.total.calls == 5
    assert meter.total.input_tokens == 60  # three words each
    assert meter.total.cost_usd == pytest.approx(60 * 2.0 / 1e6)
    assert (meter.total.estimated_calls, meter.total.unpriced_calls) == (0, 0)
    assert sum(batch.cost_usd or 0 for batch in batches) == pytest.approx(meter.total.cost_usd)


def test_missing_usage_is_counted_and_marked_and_an_unknown_price_is_unknown(make, openai_server):
    openai_server.script("no_usage")
    meter = UsageMeter()
    [batch] = make(meter).embed_documents(["three words here"])
    assert (meter.total.input_tokens, meter.total.estimated_calls, meter.total.unpriced_calls) == (3, 1, 1)
    assert batch.cost_usd is None
    assert make().price_per_million_usd is None


def test_retries_show_in_the_requests(make, openai_server):
    openai_server.script(Fault(status=429, headers={"retry-after-ms": "5"}))
    meter = UsageMeter()
    [batch] = make(meter, provider={"max_retries": 2}).embed_documents(["one"])
    assert (batch.requests, meter.total.requests, meter.total.calls) == (2, 2, 1)


def test_a_precision_is_for_the_embedded_provider_only(openai_server):
    with pytest.raises(ConfigurationError, match=r"models\.embedding\.precision"):
        embedding_space(_settings(openai_server, embedding={"precision": "int8"}))


def test_the_default_space_is_the_embedded_model():
    space = embedding_space(ModelSettings())
    assert (space.model, space.dimension) == ("all-MiniLM-L6-v2", 384)
    assert space.name == f"all-minilm-l6-v2-{space.precision}-384-{space.fingerprint[:8]}"
