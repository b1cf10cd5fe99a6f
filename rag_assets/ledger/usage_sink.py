"""Where the calls of models meet the ledger: each is admitted against the budgets, and recorded with its purpose."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.spending import Spending
from rag_assets.ledger.usage import usage_values

if TYPE_CHECKING:
    from rag_assets.config import SpendSettings
    from rag_assets.models.usage import ExpectedCall, Usage

CALL_EXPIRES_IN = timedelta(hours=1)
"""Longer than a call takes with its retries and the waits for its turn; a process that died sets money aside no
longer."""


class LedgerUsageSink:
    """A `UsageSink` that writes to the ledger and says what the calls were for. Thread safe.

    Where `limits` apply to its asset, the most that a call may cost is set aside before it leaves, and that ends in the
    transaction that records what it did cost. A call that costs nothing is not held up by that, nor any call without
    limits.

    With `batch_size` 1 a call is in the ledger when `record` returns. With more, rows are written in one transaction
    per batch, and `flush`, or the end of a `with` block, writes the rest; a killed process loses the open batch.
    """

    def __init__(
        self,
        ledger: Spending,
        purpose: Mapping[str, str | None],
        *,
        batch_size: int = 1,
        limits: SpendSettings | None = None,
    ) -> None:
        self._ledger = ledger
        self._purpose = dict(purpose)
        self._asset = self._purpose.get("asset") or ""
        self._batch_size = batch_size
        self._limits = limits if limits is not None and limits.limits(self._asset) else None
        self._reserved: set[str] = set()
        self._pending: list[dict[str, Any]] = []
        self._ended: list[str] = []
        self._lock = threading.Lock()

    def admit(self, call_id: str, expected: Callable[[], ExpectedCall]) -> None:
        """Sets the cost of the call aside. Raises `BudgetError`, and `LedgerError` where it cannot be set aside."""
        if self._limits is None:
            return
        call = expected()
        if call.cost_usd == 0:
            return
        self._ledger.reserve(
            self._asset,
            call.cost_usd,
            model=call.model,
            source=self._purpose.get("source"),
            run_id=self._purpose.get("run_id"),
            limits=self._limits,
            expires_in=CALL_EXPIRES_IN,
            reservation_id=call_id,
        )
        with self._lock:
            self._reserved.add(call_id)

    def release(self, call_id: str) -> None:
        """Gives back what was set aside for a call that was not answered."""
        with self._lock:
            if call_id not in self._reserved:
                return
            self._reserved.discard(call_id)
        self._ledger.release_reservation(call_id)

    def record(self, usage: Usage) -> None:
        """Adds one call, and writes the batch when it is full."""
        with self._lock:
            self._pending.append(usage_values(usage) | self._purpose | {"created_at": utc_now()})
            if usage.call_id in self._reserved:
                self._reserved.discard(usage.call_id)
                self._ended.append(usage.call_id)
            full = len(self._pending) >= self._batch_size
        if full:
            self.flush()

    def flush(self) -> None:
        """Writes what is pending. What could not be written stays pending."""
        with self._lock:
            self._ledger.insert_usage(self._pending, self._ended)
            self._pending, self._ended = [], []

    def __enter__(self) -> LedgerUsageSink:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()


class UsageSinks(Spending):
    """Sinks for the calls of one purpose."""

    def usage_sink(
        self,
        *,
        run_id: str | None = None,
        source: str | None = None,
        asset: str | None = None,
        answer_id: str | None = None,
        limits: SpendSettings | None = None,
        batch_size: int = 1,
    ) -> LedgerUsageSink:
        """Takes the usage of the calls of one run, source, asset or answer, and holds them to `limits`."""
        purpose = {"run_id": run_id, "source": source, "asset": asset, "answer_id": answer_id}
        return LedgerUsageSink(self, purpose, batch_size=batch_size, limits=limits)
