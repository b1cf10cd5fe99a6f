"""Comparisons of a challenger with the model that answers: when each began, what it found, and its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select, update

from rag_assets.ledger.columns import storable, utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tuning_tables import comparisons as table

Outcome = Literal["challenger", "champion", "undecided"]
"""Which of the two is to answer; `undecided` where there were too few questions to say, and the champion stays."""


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """A comparison. Results older than `started_at` are no part of it. `decision` is None until it is finished.

    `report` is the folder of its report, relative to the folder of all reports, once one was written.
    """

    comparison_id: str
    champion: str
    challenger: str
    snapshot_id: str
    questions_version: str
    started_at: datetime
    finished_at: datetime | None
    decision: Outcome | None
    details: dict[str, Any]
    report: str | None


class Comparisons(Database):
    """What was compared."""

    def start_comparison(
        self, comparison_id: str, *, champion: str, challenger: str, snapshot_id: str, questions_version: str
    ) -> ComparisonRow:
        """Records that a comparison begins; a second call returns the first row, with the time of the first try."""
        row = {
            "comparison_id": comparison_id,
            "champion": champion,
            "challenger": challenger,
            "snapshot_id": snapshot_id,
            "questions_version": questions_version,
            "started_at": utc_now(),
            "details": {},
        }
        with self.writing() as connection:
            self.upsert(connection, table, [row])
        found = self.comparison(comparison_id)
        assert found is not None, "it was recorded just now"
        return found

    def finish_comparison(self, comparison_id: str, decision: Outcome, details: Mapping[str, Any]) -> ComparisonRow:
        """Records what came of a comparison; what was decided first stays."""
        values = {"decision": decision, "details": dict(details), "finished_at": utc_now()}
        statement = update(table).where(table.c.comparison_id == comparison_id, table.c.finished_at.is_(None))
        with self.writing() as connection:
            connection.execute(statement.values(**values))
        found = self.comparison(comparison_id)
        assert found is not None, "it was started before"
        return found

    def set_comparison_report(self, comparison_id: str, report: str) -> None:
        """Says where the report of a comparison is."""
        with self.writing() as connection:
            connection.execute(update(table).where(table.c.comparison_id == comparison_id).values(report=report))

    def comparison(self, comparison_id: str) -> ComparisonRow | None:
        """The comparison with this id."""
        statement = select(table).where(table.c.comparison_id == storable(comparison_id))
        with self.reading() as connection:
            row = connection.execute(statement).one_or_none()
        return ComparisonRow(**row._mapping) if row else None

    def comparisons(self, challenger: str | None = None) -> list[ComparisonRow]:
        """The comparisons of one challenger, or all, the one that began last first."""
        statement = select(table).order_by(table.c.started_at.desc(), table.c.comparison_id)
        if challenger is not None:
            statement = statement.where(table.c.challenger == storable(challenger))
        with self.reading() as connection:
            return [ComparisonRow(**row._mapping) for row in connection.execute(statement)]
