"""What a call may cost is set aside before it leaves, and never stays so: whatever becomes of the call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from rag_assets.config import ChatSettings, ModelSettings, Price, ProviderSettings, SpendSettings
from rag_assets.errors import BudgetError, ModelError
from rag_assets.ledger import Ledger, LedgerUsageSink
from rag_assets.models.chat import ChatModel
from rag_assets.models.client import make_client
from rag_assets.models.metering import OUTPUT_TOKENS, HttpMeter
from rag_assets.models.pictures import PICTURE_TOKENS_MAX, draw
from rag_assets.models.usage import UsageMeter
from rag_assets_tests.openai_server import API_KEY, Fault, OpenAIServer

MESSAGES: Any = [{"role": "user", "content": "What is a chunk?"}]
ENVIRONMENT = {"TEST_KEY": API_KEY}
DOLLAR_A_TOKEN = {"test-chat": Price(input_usd=1e6, output_usd=1e6)}
LONGEST = 50


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as opened:
        yield opened


def settings(server: OpenAIServer) -> ModelSettings:
    provider = ProviderSettings(base_url=server.base_url, api_key_env="TEST_KEY", max_retries=1)
    chat = ChatSettings(provider="team", model="test-chat", max_output_tokens=LONGEST)
    return ModelSettings(providers={"team": provider}, chat=chat, prices=DOLLAR_A_TOKEN)


def sink(ledger: Ledger, month_usd: float) -> LedgerUsageSink:
    return ledger.usage_sink(asset="answers", limits=SpendSettings(month_usd=month_usd))


def test_a_call_counts_with_what_it_used(ledger: Ledger, openai_server: OpenAIServer):
    budget = SpendSettings(month_usd=100)
    with ChatModel(settings(openai_server), sink(ledger, 100), environment=ENVIRONMENT) as chat:
        used = chat.complete(MESSAGES)
        assert ledger.left_this_month(budget, "answers") == 100 - used.input_tokens - used.output_tokens
        stream = chat.stream(MESSAGES)
        next(stream)
        assert ledger.open_reservations()[0].amount_usd > LONGEST
        list(stream)
        assert stream.result is not None and ledger.usage_totals().calls == 2
        closed = chat.stream(MESSAGES)
        next(closed)
        closed.close()
    assert ledger.open_reservations() == [] and ledger.usage_totals().calls == 3


def test_a_call_that_does_not_fit_is_not_sent(ledger: Ledger, openai_server: OpenAIServer):
    with ChatModel(settings(openai_server), sink(ledger, LONGEST), environment=ENVIRONMENT) as chat:
        with pytest.raises(BudgetError):
            chat.complete(MESSAGES)
        with pytest.raises(BudgetError):
            list(chat.stream(MESSAGES))
    assert openai_server.requests == [] and ledger.spent_this_month() == 0


def test_what_failed_calls_set_aside_comes_back_and_a_retry_counts_once(ledger: Ledger, openai_server: OpenAIServer):
    with ChatModel(settings(openai_server), sink(ledger, 1_000), environment=ENVIRONMENT) as chat:
        for fault in (Fault(status=400), Fault(kind="html")):
            openai_server.script(fault)
            with pytest.raises(ModelError):
                chat.complete(MESSAGES)
        openai_server.script(Fault(status=400))
        with pytest.raises(ModelError):
            list(chat.stream(MESSAGES))
        assert ledger.open_reservations() == [] and ledger.spent_this_month() == 0
        openai_server.script(Fault(status=500, headers={"retry-after-ms": "1"}), "ok")
        chat.complete(MESSAGES)
    [row] = ledger.usage()
    assert row.requests == 2 and ledger.spent_this_month() == row.cost_usd


def _client(server: OpenAIServer, meter: UsageMeter, accounts: LedgerUsageSink) -> openai.OpenAI:
    observer = HttpMeter(meter, provider="team", kind="openai", prices=DOLLAR_A_TOKEN, accounts=accounts)
    return make_client("team", settings(server).providers["team"], environment=ENVIRONMENT, observer=observer)


def test_calls_of_the_client_itself_keep_to_the_budget_too(ledger: Ledger, openai_server: OpenAIServer):
    meter, accounts = UsageMeter(), sink(ledger, OUTPUT_TOKENS + 100)
    with _client(openai_server, meter, accounts) as client:
        openai_server.script(Fault(status=500, headers={"retry-after-ms": "1"}), "ok")
        client.chat.completions.create(model="test-chat", messages=MESSAGES)
        with client.chat.completions.create(model="test-chat", messages=MESSAGES, stream=True, max_tokens=9) as stream:
            next(iter(stream))
            assert 9 < ledger.open_reservations()[0].amount_usd < 100
        openai_server.script(Fault(status=400))
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="test-chat", messages=MESSAGES, max_tokens=9)
        assert ledger.open_reservations() == []
        assert ledger.usage_totals().calls == meter.total.calls == 2
        asked = len(openai_server.requests)
        with pytest.raises(BudgetError):
            client.chat.completions.create(model="test-chat", messages=MESSAGES, max_tokens=OUTPUT_TOKENS + 100)
        with pytest.raises(BudgetError, match="price of gpt-x is not known"):
            client.chat.completions.create(model="gpt-x", messages=MESSAGES)
        assert len(openai_server.requests) == asked


def test_who_answers_for_a_call_has_it_counted_once(ledger: Ledger, openai_server: OpenAIServer):
    meter, accounts = UsageMeter(), sink(ledger, 1_000)
    with (
        _client(openai_server, meter, accounts) as client,
        ChatModel(settings(openai_server), sink(ledger, 1_000), client) as chat,
    ):
        chat.complete(MESSAGES)
        list(chat.stream(MESSAGES))
    assert ledger.usage_totals().calls == meter.total.calls == 2
    assert ledger.open_reservations() == []


def test_a_picture_keeps_to_the_budget(ledger: Ledger, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEST_KEY", API_KEY)
    models = settings(openai_server)
    image = models.image.model_copy(update={"provider": "team"})
    models = models.model_copy(update={"image": image, "prices": {image.model: Price(input_usd=0, output_usd=1e6)}})
    with pytest.raises(BudgetError):
        draw(models, "a hill", usage=sink(ledger, PICTURE_TOKENS_MAX - 1))
    assert openai_server.requests == []
    draw(models, "a hill", usage=sink(ledger, PICTURE_TOKENS_MAX))
    [row] = ledger.usage()
    assert ledger.spent_this_month() == row.output_tokens > 0 and ledger.open_reservations() == []
