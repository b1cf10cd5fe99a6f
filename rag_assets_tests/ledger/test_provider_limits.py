from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rag_assets.ledger import Ledger
from rag_assets.models.rate import RateLimits

SLOW = RateLimits(requests_per_minute=60)  # six at once, then one every 60/55 s


def test_turns_are_handed_out_one_after_the_other_whoever_asks(ledger: Ledger, ledger_url: str):
    with Ledger(ledger_url) as other, ThreadPoolExecutor(8) as pool:
        asked = [(ledger, other)[number % 2] for number in range(24)]
        waits = sorted(pool.map(lambda one: one.take_provider_turn("team", 1, SLOW), asked))
    assert waits[:6] == [0] * 6
    # Each wait is counted from its own moment of asking: a second for all of them is plenty.
    assert waits[-1] == pytest.approx(18 * 60 / 55, abs=1)


def test_providers_do_not_wait_for_each_other(ledger: Ledger):
    for _ in range(10):
        ledger.take_provider_turn("busy", 1, SLOW)
    assert ledger.take_provider_turn("idle", 1, SLOW) == 0


def test_a_hold_is_seen_by_every_process_and_passes(ledger: Ledger, ledger_url: str):
    assert ledger.provider_hold_seconds("team") == 0
    ledger.hold_provider("team", 30)
    ledger.hold_provider("team", 5)
    ledger.hold_provider("other", 0.05)
    with Ledger(ledger_url) as other:
        assert other.provider_hold_seconds("team") == pytest.approx(30, abs=2)
        time.sleep(0.06)
        assert other.provider_hold_seconds("other") == 0


def test_tokens_that_were_not_read_are_given_back(ledger: Ledger):
    limits = RateLimits(tokens_per_minute=6_000)
    ledger.take_provider_turn("team", 600, limits)
    ledger.correct_provider_tokens("team", -600, limits)
    assert ledger.take_provider_turn("team", 600, limits) == 0
    assert ledger.take_provider_turn("team", 600, limits) > 5
