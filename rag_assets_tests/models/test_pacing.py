from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from rag_assets.config import ProviderSettings
from rag_assets.errors import InvalidRequestError, LedgerError, RateLimitError
from rag_assets.models.client import make_client, translate_errors
from rag_assets.models.pacing import LocalLimits, announced, retry_after_seconds
from rag_assets.models.rate import RateLimits
from rag_assets_tests.openai_server import API_KEY, Fault

LIMITED = {"requests_per_minute": 600, "tokens_per_minute": 60_000}


class Noted(LocalLimits):
    """What a client asked of the place that keeps the turns."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, int]] = []
        self.corrections: list[int] = []

    def take_provider_turn(self, provider: str, tokens: int, limits: RateLimits) -> float:
        self.asked.append((provider, tokens))
        return super().take_provider_turn(provider, tokens, limits)

    def correct_provider_tokens(self, provider: str, difference: int, limits: RateLimits) -> None:
        self.corrections.append(difference)
        super().correct_provider_tokens(provider, difference, limits)


@pytest.fixture
def embed(openai_server):
    def _embed(text: str = "hello", limits: Any = None, **changes: Any) -> Any:
        settings = ProviderSettings(base_url=openai_server.base_url, api_key_env="TEST_KEY", **changes)
        client = make_client("team", settings, environment={"TEST_KEY": API_KEY}, limits=limits)
        with client, translate_errors("team", "test-embedding", secret=API_KEY):
            return client.embeddings.create(model="test-embedding", input=[text])

    return _embed


def test_each_try_takes_a_turn_and_an_unannounced_call_is_sized_by_its_bytes(embed, openai_server):
    limits = Noted()
    openai_server.script(Fault(status=500, headers={"retry-after-ms": "5"}))
    embed("x" * 4_000, limits, **LIMITED)
    assert len(openai_server.requests) == 2
    assert [provider for provider, _ in limits.asked] == ["team", "team"]
    assert all(1_000 < tokens < 1_100 for _, tokens in limits.asked)


def test_an_announced_call_is_entered_with_its_tokens_and_corrected_by_what_was_read(embed):
    limits = Noted()
    with announced(70) as call:
        embed(limits=limits, **LIMITED)
    call.settle(55)
    assert limits.asked == [("team", 70)]
    assert limits.corrections == [-15]
    with announced(70) as call:
        embed(limits=limits)  # a provider without limits
    call.settle(55)
    assert (len(limits.asked), len(limits.corrections)) == (1, 1)


def test_requests_leave_at_the_rate_that_is_allowed(embed, openai_server):
    limits = LocalLimits()
    for _ in range(4):
        embed(limits=limits, requests_per_minute=400)  # 40 at once; 39 are used up here
        for _ in range(13):
            limits.take_provider_turn("team", 1, RateLimits(requests_per_minute=400))
    times = [request.at for request in openai_server.requests]
    assert times[-1] - times[0] >= 2 * 60 / 361


def test_a_wait_asked_of_one_client_holds_back_another(embed, openai_server):
    limits = LocalLimits()
    openai_server.script(Fault(status=429, headers={"retry-after": "0.3"}))
    with pytest.raises(RateLimitError):
        embed(limits=limits, max_retries=0)
    embed(limits=limits)
    first, second = openai_server.requests
    assert second.at - first.at >= 0.3


def test_a_service_that_is_down_for_a_while_is_left_alone_too(embed, openai_server):
    limits = LocalLimits()
    openai_server.script(Fault(status=503, headers={"retry-after": "0.3"}))
    embed(limits=limits)
    first, second = openai_server.requests
    assert second.at - first.at >= 0.3


def test_a_request_that_is_larger_than_the_limit_is_refused_and_not_waited_for(embed, openai_server):
    said = "Request too large for test-embedding on tokens per min (TPM): Limit 10000, Requested 12000."
    openai_server.script(Fault(status=429, code="rate_limit_exceeded", message=said, headers={"retry-after": "60"}))
    with pytest.raises(InvalidRequestError, match=r"Requested 12000.*batch_size"):
        embed()
    assert len(openai_server.requests) == 1


def test_a_long_wait_is_told(embed, openai_server, caplog, monkeypatch):
    limits = LocalLimits()
    limits.hold_provider("team", 40)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        limits._states.clear()  # time has passed

    monkeypatch.setattr("rag_assets.models.pacing.time.sleep", sleep)
    with caplog.at_level(logging.INFO, logger="rag_assets.progress.waits"):
        embed(limits=limits)
    assert slept == [pytest.approx(40, abs=1)]
    assert caplog.messages == ["waiting 40 s for the provider 'team': its Retry-After"]


def test_a_ledger_that_fails_is_named_and_not_taken_for_the_network(embed, openai_server):
    class Broken(LocalLimits):
        def take_provider_turn(self, provider: str, tokens: int, limits: RateLimits) -> float:
            raise LedgerError("The ledger /x failed: disk full.", fix="Free some space.")

    with pytest.raises(LedgerError, match="disk full"):
        embed(limits=Broken(), max_retries=0, **LIMITED)
    assert openai_server.requests == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "2"}, 2),
        ({"retry-after": "2", "retry-after-ms": "30"}, 0.03),
        ({"retry-after": "soon"}, 0),
    ],
)
def test_every_number_in_retry_after_is_read(headers, seconds):
    assert retry_after_seconds(headers) == seconds


def test_a_date_in_retry_after_is_read():
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert retry_after_seconds({"retry-after": date}) == pytest.approx(100, abs=20)
