from __future__ import annotations

from typing import Any

import pytest

from rag_assets.config import ChatSettings, ModelSettings, ProviderSettings
from rag_assets.errors import AuthenticationError, InvalidRequestError, ProviderUnavailableError, RateLimitError
from rag_assets.models.chat import ChatModel
from rag_assets.models.usage import UsageMeter
from rag_assets_tests.openai_server import API_KEY, UNAUTHORIZED, Fault

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is a chunk?"}]


@pytest.fixture
def make(openai_server):
    made: list[ChatModel] = []

    def _make(usage: UsageMeter | None = None, *, model: str = "test-chat", **provider: Any) -> ChatModel:
        settings = ModelSettings(
            providers={
                "team": ProviderSettings(
                    **{"base_url": openai_server.base_url, "api_key_env": "TEST_KEY", "max_retries": 0} | provider
                )
            },
            chat=ChatSettings(provider="team", model=model, seed=7),
        )
        made.append(ChatModel(settings, usage, environment={"TEST_KEY": API_KEY}))
        return made[-1]

    yield _make
    for chat in made:
        chat.close()


def test_an_answer_with_what_it_used(make, openai_server):
    meter = UsageMeter()
    result = make(meter, model="gpt-4o-mini").complete(MESSAGES)
    assert (result.text, result.finish_reason, result.model) == ("A scripted answer.", "stop", "gpt-4o-mini")
    assert (result.input_tokens, result.output_tokens, result.estimated) == (6, 3, False)
    assert result.cost_usd == pytest.approx((6 * 0.15 + 3 * 0.60) / 1e6)
    assert meter.total.cost_usd == pytest.approx(result.cost_usd)
    assert meter.by_model()["gpt-4o-mini"].calls == 1


def test_the_request_carries_the_settings(make, openai_server):
    make().complete(MESSAGES, extra={"passages": 3})
    body = openai_server.requests[0].body
    assert (body["temperature"], body["seed"], body["max_tokens"], body["passages"]) == (0.0, 7, 600, 3)
    assert body["messages"] == MESSAGES


def test_a_reasoning_model_gets_what_it_accepts(make, openai_server):
    make(model="gpt-5.4-mini").complete(MESSAGES)
    body = openai_server.requests[0].body
    assert body["max_completion_tokens"] == 600
    assert not {"max_tokens", "temperature", "seed"} & body.keys()


def test_missing_usage_is_counted_here(make, openai_server):
    openai_server.script("no_usage")
    result = make().complete(MESSAGES)
    assert result.estimated
    assert result.input_tokens > 8
    assert result.output_tokens == 4
    assert result.cost_usd is None


def test_a_stream_arrives_in_pieces_with_its_usage(make, openai_server):
    meter = UsageMeter()
    stream = make(meter, model="gpt-4o-mini").stream(MESSAGES)
    assert openai_server.requests == []
    assert list(stream) == ["A", " scripted", " answer."]
    assert stream.result is not None
    assert (stream.result.text, stream.result.finish_reason) == ("A scripted answer.", "stop")
    assert (stream.result.input_tokens, stream.result.output_tokens, stream.result.estimated) == (6, 3, False)
    assert meter.total.calls == 1


def test_a_stream_without_usage_is_counted_here(make, openai_server):
    openai_server.script("no_usage")
    stream = make().stream(MESSAGES)
    assert "".join(stream) == "A scripted answer."
    assert stream.result is not None
    assert stream.result.estimated


def test_a_stream_that_breaks_keeps_and_counts_what_arrived(make, openai_server):
    openai_server.reply = lambda body: "one two three four five six"
    openai_server.script("cut_stream")
    meter = UsageMeter()
    stream = make(meter).stream(MESSAGES)
    pieces: list[str] = []
    with pytest.raises(ProviderUnavailableError):
        pieces.extend(stream)
    assert stream.result is not None
    assert (stream.result.text, stream.result.finish_reason) == ("one two three", "interrupted")
    assert (meter.total.calls, meter.total.estimated_calls) == (1, 1)


def test_a_stream_that_is_closed_counts_what_arrived(make, openai_server):
    meter = UsageMeter()
    stream = make(meter).stream(MESSAGES)
    assert next(stream) == "A"
    stream.close()
    assert stream.result is not None
    assert stream.result.text == "A"
    assert meter.total.calls == 1


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (UNAUTHORIZED, AuthenticationError),
        (Fault(status=429), RateLimitError),
        (Fault(status=500), ProviderUnavailableError),
        (Fault(status=400), InvalidRequestError),
        ("hang", ProviderUnavailableError),
        ("cut", ProviderUnavailableError),
        ("html", ProviderUnavailableError),
    ],
)
def test_failures_are_this_project_s_errors_and_cost_nothing(make, openai_server, fault, error, streamed):
    openai_server.script(fault)
    meter = UsageMeter()
    chat = make(meter, timeout_seconds=0.2 if fault == "hang" else 30)
    with pytest.raises(error, match="Provider 'team', model 'test-chat'"):
        list(chat.stream(MESSAGES)) if streamed else chat.complete(MESSAGES)
    assert meter.total.calls == 0
