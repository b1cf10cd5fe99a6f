"""Usage: one row for every model call, with its tokens, its cost and what it was for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, select

from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import usage as table
from rag_assets.ledger.tuning_tables import monthly_spend, reservations
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


class UsageRows(Database):
    """What every model call used."""

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
        calls = list(usages)
        if calls:
            with self.writing() as connection:
                self._insert_usage(connection, calls, run_id=run_id, source=source, asset=asset, answer_id=answer_id)

    def insert_usage(self, rows: Sequence[Mapping[str, Any]], ended: Sequence[str] = ()) -> None:
        """Inserts rows that have every column of `UsageRow`, and ends the reservations that were made for them."""
        if rows:
            with self.writing() as connection:
                self._insert_rows(connection, rows)
                if ended:
                    connection.execute(delete(reservations).where(reservations.c.reservation_id.in_(ended)))

    def _insert_usage(self, connection: Connection, usages: Iterable[Usage], **purpose: str | None) -> None:
        common = {"answer_id": None, **purpose, "created_at": utc_now()}
        self._insert_rows(connection, [usage_values(usage) | common for usage in usages])

    def _insert_rows(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """The rows, and their cost in the sums of their months."""
        connection.execute(table.insert(), [dict(row) for row in rows])
        sums: dict[tuple[str, str], float] = {}
        for row in rows:
            if row["cost_usd"]:
                key = month_of(row["created_at"]), row["asset"] or ""
                sums[key] = sums.get(key, 0.0) + row["cost_usd"]
        # In one order for all: on PostgreSQL two that add to the same sums wait for each other sum by sum.
        for (month, asset), cost_usd in sorted(sums.items()):
            self.upsert(
                connection,
                monthly_spend,
                [{"month": month, "asset": asset, "cost_usd": cost_usd}],
                update={"cost_usd": monthly_spend.c.cost_usd + cost_usd},
            )

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
        statement = _narrowed(select(*sums()), since, purpose)
        with self.reading() as connection:
            return UsageTotal(**connection.execute(statement).one()._mapping)

    def usage_by_model(self, *, since: datetime | None = None, **purpose: str | None) -> dict[str, UsageTotal]:
        """The sums of the same calls for each model, by the model's name."""
        statement = _narrowed(select(table.c.model, *sums()), since, purpose).group_by(table.c.model)
        with self.reading() as connection:
            rows = [dict(row._mapping) for row in connection.execute(statement)]
        return {row.pop("model"): UsageTotal(**row) for row in sorted(rows, key=lambda row: str(row["model"]))}


def usage_values(usage: Usage) -> dict[str, Any]:
    """The columns of a row that the call itself fills."""
    return {name: value for name, value in asdict(usage).items() if name != "call_id"}


def month_of(time: datetime) -> str:
    """The calendar month of `time` in UTC, as `YYYY-MM`."""
    return f"{time.astimezone(UTC):%Y-%m}"


def sums() -> list[ColumnElement[Any]]:
    """The columns of a `UsageTotal` over rows of usage."""

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
