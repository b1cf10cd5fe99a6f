"""The turns of requests to providers, kept for all processes: one row for each provider, changed in one transaction.

Implements `models.pacing.SharedLimits`. A process that is killed leaves nothing to clean up: the turns that it took and
did not use pass as time does. On PostgreSQL time is the server's, so that machines whose clocks differ agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict

from sqlalchemy import Connection, func, select, update

from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import provider_limits as table
from rag_assets.models.rate import RateLimits, RateState, correct_tokens, hold_back, take_turn


class ProviderLimits(Database):
    """When the next request to a provider may leave."""

    def take_provider_turn(self, provider: str, tokens: int, limits: RateLimits) -> float:
        """Enters one request of about `tokens`; returns how many seconds from now it has to wait for its turn."""
        waits: list[float] = []

        def take(state: RateState, now: float) -> RateState:
            state, wait = take_turn(state, now, tokens, limits)
            waits.append(wait)
            return state

        self._change(provider, take)
        return waits[0]

    def correct_provider_tokens(self, provider: str, difference: int, limits: RateLimits) -> None:
        """A request turned out to read `difference` tokens more than it was entered with."""
        self._change(provider, lambda state, _: correct_tokens(state, difference, limits))

    def hold_provider(self, provider: str, seconds: float) -> None:
        """The provider asked to be left alone for so long, whichever process it told."""
        self._change(provider, lambda state, now: hold_back(state, now, seconds))

    def provider_hold_seconds(self, provider: str) -> float:
        """How long the provider is to be left alone yet; 0 when it is not."""
        with self.reading() as connection:
            resume_at = connection.execute(select(table.c.resume_at).where(table.c.provider == provider)).scalar()
            return max(0.0, resume_at - self._now(connection)) if resume_at else 0.0

    def _change(self, provider: str, change: Callable[[RateState, float], RateState]) -> None:
        columns = (table.c.requests_full_at, table.c.tokens_full_at, table.c.resume_at)
        with self.writing() as connection:
            self.upsert(connection, table, [{"provider": provider, **asdict(RateState())}])
            row = connection.execute(select(*columns).where(table.c.provider == provider).with_for_update()).one()
            state = change(RateState(*row), self._now(connection))
            connection.execute(update(table).where(table.c.provider == provider).values(asdict(state)))

    def _now(self, connection: Connection) -> float:
        """Seconds since 1970. Read under the lock, or a writer that waited for it would give turns in the past."""
        if self._is_sqlite:
            return time.time()
        return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())
