"""What calls of models cost, summed by what they were for, which model answered, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, select

from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import usage as table
from rag_assets.ledger.usage import sums
from rag_assets.models.usage import UsageTotal

Dimension = Literal["source", "model", "asset", "day"]
"""`day` is the calendar day in UTC, as `YYYY-MM-DD`."""


class Costs(Database):
    """Sums over the rows of usage."""

    def costs(
        self, by: Sequence[Dimension], *, since: datetime | None = None, until: datetime | None = None
    ) -> dict[tuple[str, ...], UsageTotal]:
        """The calls from `since` on and before `until`, summed for each combination of `by`, in its order.

        What a call does not name (a source, say) is "".
        """
        keys = [self._key(dimension).label(dimension) for dimension in by]
        statement = select(*keys, *sums()).group_by(*keys)
        if since is not None:
            statement = statement.where(table.c.created_at >= since)
        if until is not None:
            statement = statement.where(table.c.created_at < until)
        with self.reading() as connection:
            rows = [dict(row._mapping) for row in connection.execute(statement)]
        found = {tuple(str(row.pop(name)) for name in by): UsageTotal(**row) for row in rows}
        return dict(sorted(found.items()))

    def first_usage(self) -> datetime | None:
        """When the oldest call was recorded; None where there is none."""
        with self.reading() as connection:
            return connection.execute(select(func.min(table.c.created_at))).scalar()

    def _key(self, dimension: Dimension) -> ColumnElement[Any]:
        if dimension != "day":
            return func.coalesce(table.c[dimension], "")
        if self._is_sqlite:
            return func.substr(table.c.created_at, 1, 10)
        return func.to_char(func.timezone("UTC", table.c.created_at), "YYYY-MM-DD")
