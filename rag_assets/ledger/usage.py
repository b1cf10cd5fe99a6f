"""Usage: one row for every model call, with its tokens, its cost and what it was for."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import usage as table
from rag_assets.models.usage import Usage, UsageTotal


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One model call as it was recorded. `cost_usd` is None where the price is unknown."""

    provider: str
    model: str
    operation: str
    input_tokens: int
    output_tokens: int
    requests: int
    cost_usd: float | None
    latency_ms: float
    request_id: str | None
    estimated: bool
    run_id: str | None
    source: str | None
    asset: str | None
    answer_id: str | None
    created_at: datetime


class LedgerUsageSink:
    """A `UsageSink` that writes to the ledger and says what the calls were for. Thread safe.

    With `batch_size` 1 a call is in the ledger when `record` returns. With more, rows are written in one transaction
    per batch, and `flush`, or the end of a `with` block, writes the rest; a killed process loses the open batch.
    """

    def __init__(self, ledger: UsageRows, purpose: Mapping[str, str | None], *, batch_size: int) -> None:
        self._ledger = ledger
        self._purpose = dict(purpose)
        self._batch_size = batch_size
        self._pending: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def record(self, usage: Usage) -> None:
        """Adds one call, and writes the batch when it is full."""
        with self._lock:
            self._pending.append({**asdict(usage), **self._purpose, "created_at": utc_now()})
            full = len(self._pending) >= self._batch_size
        if full:
            self.flush()

    def flush(self) -> None:
        """Writes what is pending. What could not be written stays pending."""
        with self._lock:
            self._ledger.insert_usage(self._pending)
            self._pending = []

    def __enter__(self) -> LedgerUsageSink:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()


class UsageRows(Database):
    """What every model call used."""

    def usage_sink(
        self,
        *,
        run_id: str | None = None,
        source: str | None = None,
        asset: str | None = None,
        answer_id: str | None = None,
        batch_size: int = 1,
    ) -> LedgerUsageSink:
        """Takes the usage of the calls of one run, source, asset or answer."""
        purpose = {"run_id": run_id, "source": source, "asset": asset, "answer_id": answer_id}
        return LedgerUsageSink(self, purpose, batch_size=batch_size)

    def record_usage(
        self,
        usages: Iterable[Usage],
        *,
        run_id: str | None = None,
        source: str | None = None,
        asset: str | None = None,
        answer_id: str | None = None,
    ) -> None:
        """Records many calls in one transaction."""
        common = {"run_id": run_id, "source": source, "asset": asset, "answer_id": answer_id, "created_at": utc_now()}
        self.insert_usage([{**asdict(usage), **common} for usage in usages])

    def insert_usage(self, rows: list[dict[str, Any]]) -> None:
        """Inserts rows that have every column of `UsageRow`."""
        if rows:
            with self.writing() as connection:
                connection.execute(table.insert(), rows)

    def usage(
        self, *, since: datetime | None = None, limit: int | None = None, **purpose: str | None
    ) -> list[UsageRow]:
        """The calls since a time, newest first; `purpose` narrows by `run_id`, `source`, `asset` or `answer_id`."""
        columns = [column for column in table.c if column.name != "id"]
        statement = _narrowed(select(*columns), since, purpose).order_by(table.c.id.desc()).limit(limit)
        with self.reading() as connection:
            return [UsageRow(**row._mapping) for row in connection.execute(statement)]

    def usage_totals(self, *, since: datetime | None = None, **purpose: str | None) -> UsageTotal:
        """The sum of the same calls."""
        statement = _narrowed(select(*_sums()), since, purpose)
        with self.reading() as connection:
            return UsageTotal(**connection.execute(statement).one()._mapping)

    def usage_by_model(self, *, since: datetime | None = None, **purpose: str | None) -> dict[str, UsageTotal]:
        """The sums of the same calls for each model, by the model's name."""
        statement = _narrowed(select(table.c.model, *_sums()), since, purpose).group_by(table.c.model)
        with self.reading() as connection:
            rows = [dict(row._mapping) for row in connection.execute(statement)]
        return {row.pop("model"): UsageTotal(**row) for row in sorted(rows, key=lambda row: str(row["model"]))}


def _sums() -> list[ColumnElement[Any]]:
    def total(column: ColumnElement[Any], name: str) -> ColumnElement[Any]:
        return func.coalesce(func.sum(column), 0).label(name)

    calls = func.count(table.c.id)
    return [
        calls.label("calls"),
        total(table.c.requests, "requests"),
        total(table.c.input_tokens, "input_tokens"),
        total(table.c.output_tokens, "output_tokens"),
        func.coalesce(func.sum(table.c.cost_usd), 0.0).label("cost_usd"),
        (calls - func.count(table.c.cost_usd)).label("unpriced_calls"),
        func.count(table.c.id).filter(table.c.estimated).label("estimated_calls"),
    ]


def _narrowed(statement: Select[Any], since: datetime | None, purpose: Mapping[str, str | None]) -> Select[Any]:
    if unknown := set(purpose) - {"run_id", "source", "asset", "answer_id"}:
        raise TypeError(f"usage cannot be narrowed by {', '.join(sorted(unknown))}")
    for name, value in purpose.items():
        statement = statement.where(table.c[name] == value)
    return statement if since is None else statement.where(table.c.created_at >= since)
