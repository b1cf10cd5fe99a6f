"""Keeps requests within a provider's limits, together with every other process that shares them.

A request takes its turn before it leaves (`rate.py` says when that is), waits as told, and then waits out what the
provider asked of anybody meanwhile by `Retry-After`. Retries of the client take a turn each, for providers count them.
Where the turns are kept is the caller's: the ledger for all runs of a project, `LocalLimits` for one client alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol

from rag_assets.models.rate import RateLimits, RateState, correct_tokens, hold_back, take_turn

if TYPE_CHECKING:
    import httpx2

WAITS = logging.getLogger("rag_assets.progress.waits")
MAX_RETRY_AFTER_SECONDS = 120.0
"""The longest wait that is waited out, as in the client; who is asked for more fails at once, not seeming to hang."""
TOLD_FROM_SECONDS = 1.0
TOLD_EVERY_SECONDS = 10.0
BYTES_PER_TOKEN = 4
QUOTA_MARKS = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
TOO_LARGE_MARK = "request too large"
"""How OpenAI answers, with status 429, a request that is larger than a whole minute's tokens: waiting is of no use."""


class SharedLimits(Protocol):
    """Where turns are kept, by provider. Safe to call from several threads; seconds are from now."""

    def take_provider_turn(self, provider: str, tokens: int, limits: RateLimits) -> float:
        """Enters one request of about `tokens`; returns how long it has to wait for its turn."""
        ...

    def correct_provider_tokens(self, provider: str, difference: int, limits: RateLimits) -> None:
        """A request turned out to read `difference` tokens more than it was entered with."""
        ...

    def hold_provider(self, provider: str, seconds: float) -> None:
        """The provider asked to be left alone for so long."""
        ...

    def provider_hold_seconds(self, provider: str) -> float:
        """How long the provider is to be left alone yet; 0 when it is not."""
        ...


class LocalLimits:
    """The turns of one process. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, RateState] = {}

    def take_provider_turn(self, provider: str, tokens: int, limits: RateLimits) -> float:
        with self._lock:
            state, wait = take_turn(self._state(provider), time.monotonic(), tokens, limits)
            self._states[provider] = state
        return wait

    def correct_provider_tokens(self, provider: str, difference: int, limits: RateLimits) -> None:
        with self._lock:
            self._states[provider] = correct_tokens(self._state(provider), difference, limits)

    def hold_provider(self, provider: str, seconds: float) -> None:
        with self._lock:
            self._states[provider] = hold_back(self._state(provider), time.monotonic(), seconds)

    def provider_hold_seconds(self, provider: str) -> float:
        return max(0.0, self._state(provider).resume_at - time.monotonic())

    def _state(self, provider: str) -> RateState:
        return self._states.get(provider, RateState())


@dataclass
class AnnouncedCall:
    """A call whose size is known before it is made. `settle` it with what it really read."""

    tokens: int
    pacing: Pacing | None = None

    def settle(self, tokens: int) -> None:
        """Says how many tokens the provider counted for the request that was answered."""
        if self.pacing is not None:
            self.pacing.correct(tokens - self.tokens)


_announced: ContextVar[AnnouncedCall | None] = ContextVar("announced_call", default=None)


@contextmanager
def announced(tokens: int) -> Iterator[AnnouncedCall]:
    """Says that the requests made in the body, in this thread, have about `tokens` each."""
    call = AnnouncedCall(tokens)
    before = _announced.set(call)
    try:
        yield call
    finally:
        _announced.reset(before)


class Pacing:
    """An `HttpObserver` of one client. Thread safe."""

    def __init__(self, provider: str, limits: RateLimits, shared: SharedLimits | None = None) -> None:
        self._provider = provider
        self._limits = limits
        self._shared: SharedLimits = shared or LocalLimits()
        self._told_at = 0.0

    def before_request(self, request: httpx2.Request) -> None:
        """Waits for this request's turn, and for the end of what the provider asked of an earlier one."""
        if self._limits:
            call = _announced.get()
            tokens = call.tokens if call else len(request.read()) // BYTES_PER_TOKEN
            self._wait(self._shared.take_provider_turn(self._provider, tokens, self._limits), "its limit")
            if call:
                call.pacing = self
        while (held := self._shared.provider_hold_seconds(self._provider)) > 0:
            self._wait(min(held, MAX_RETRY_AFTER_SECONDS), "its Retry-After")

    def after_response(self, response: httpx2.Response) -> None:
        """Holds everybody back as a refusal asks, and stops the client's retries where waiting is of no use."""
        if response.status_code not in (429, 503):
            return
        response.read()
        if any(mark in response.text for mark in QUOTA_MARKS) or TOO_LARGE_MARK in response.text.lower():
            response.headers["x-should-retry"] = "false"  # the client's own switch; OpenAI's servers send it too
            return
        seconds = retry_after_seconds(response.headers)
        if 0 < seconds <= MAX_RETRY_AFTER_SECONDS:
            self._shared.hold_provider(self._provider, seconds)

    def correct(self, difference: int) -> None:
        """An answered request read `difference` tokens more than was announced."""
        if difference and self._limits.tokens_per_minute is not None:
            self._shared.correct_provider_tokens(self._provider, difference, self._limits)

    def _wait(self, seconds: float, why: str) -> None:
        if seconds <= 0:
            return
        if seconds >= TOLD_FROM_SECONDS and time.monotonic() >= self._told_at + TOLD_EVERY_SECONDS:
            self._told_at = time.monotonic()
            WAITS.info("waiting %.0f s for the provider %r: %s", seconds, self._provider, why)
        time.sleep(seconds)


def retry_after_seconds(headers: Mapping[str, str]) -> float:
    """The wait that a response asks for, in seconds; 0 when there is none that can be read."""
    try:
        if "retry-after-ms" in headers:
            return float(headers["retry-after-ms"]) / 1000
        return float(headers.get("retry-after", 0))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return 0.0
    return (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
