"""Verdicts: what each gate said about exactly which inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import verdicts as table


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `gate` decided about `subject`, which names exact inputs: a table version, a snapshot id."""

    gate: str
    subject: str
    passed: bool
    details: dict[str, Any]
    created_at: datetime


class Verdicts(Database):
    """What the gates decided. Every verdict is kept; the newest one holds."""

    def record_verdict(self, gate: str, subject: str, passed: bool, details: Mapping[str, Any]) -> Verdict:
        """Adds a verdict. It replaces no earlier one, and from now on it is the one that holds."""
        verdict = Verdict(gate, subject, passed, dict(details), utc_now())
        with self.writing() as connection:
            connection.execute(
                table.insert().values(
                    gate=gate, subject=subject, passed=passed, details=verdict.details, created_at=verdict.created_at
                )
            )
        return verdict

    def verdict(self, gate: str, subject: str) -> Verdict | None:
        """The newest verdict of `gate` about exactly `subject`; None when there is none, which is not a pass."""
        found = self.verdicts(gate, subject, limit=1)
        return found[0] if found else None

    def verdicts(self, gate: str, subject: str | None = None, *, limit: int | None = None) -> list[Verdict]:
        """The verdicts of `gate`, about one subject or all, newest first."""
        conditions = [table.c.gate == gate]
        if subject is not None:
            conditions.append(table.c.subject == subject)
        columns = [column for column in table.c if column.name != "id"]
        with self.reading() as connection:
            rows = connection.execute(select(*columns).where(*conditions).order_by(table.c.id.desc()).limit(limit))
            return [Verdict(**row._mapping) for row in rows]
