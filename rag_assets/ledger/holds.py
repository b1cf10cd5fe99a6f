"""Holds: a source that lost too much at once waits for a person to confirm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, delete, select, update

from rag_assets.errors import LedgerError
from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import holds as table


@dataclass(frozen=True, slots=True)
class Hold:
    """A source that is held: `removed` documents would go, `listed` remain.

    `digest` names exactly what would go; a confirmation counts for that and for nothing else.
    """

    source: str
    reason: str
    removed: int
    listed: int
    digest: str
    held_at: datetime
    confirmed_at: datetime | None

    @property
    def confirmed(self) -> bool:
        """Whether a person agreed to exactly this removal."""
        return self.confirmed_at is not None


class Holds(Database):
    """Which sources are held."""

    def hold(self, source: str, reason: str, removed: int, listed: int, digest: str) -> Hold:
        """Holds a source. Held again with the same digest it keeps its confirmation, with another it loses it."""
        row = {"source": source, "reason": reason, "removed": removed, "listed": listed, "digest": digest}
        row |= {"held_at": utc_now(), "confirmed_at": None}
        same = table.c.digest == digest
        changes = {
            "reason": reason,
            "removed": removed,
            "listed": listed,
            "digest": digest,
            "held_at": case((same, table.c.held_at), else_=row["held_at"]),
            "confirmed_at": case((same, table.c.confirmed_at), else_=None),
        }
        with self.writing() as connection:
            self.upsert(connection, table, [row], update=changes)
            return Hold(**connection.execute(select(table).where(table.c.source == source)).one()._mapping)

    def hold_for(self, source: str) -> Hold | None:
        """The hold of a source, or None when it is not held."""
        with self.reading() as connection:
            row = connection.execute(select(table).where(table.c.source == source)).one_or_none()
        return Hold(**row._mapping) if row else None

    def holds(self) -> list[Hold]:
        """Every held source, by name."""
        with self.reading() as connection:
            return [Hold(**row._mapping) for row in connection.execute(select(table).order_by(table.c.source))]

    def confirm_hold(self, source: str) -> Hold:
        """Agrees to what the hold says. Raises `LedgerError` when the source is not held."""
        with self.writing() as connection:
            connection.execute(
                update(table)
                .where(table.c.source == source, table.c.confirmed_at.is_(None))
                .values(confirmed_at=utc_now())
            )
            row = connection.execute(select(table).where(table.c.source == source)).one_or_none()
        if row is None:
            raise LedgerError(f"The source {source!r} is not held.", fix="There is nothing to confirm.")
        return Hold(**row._mapping)

    def release_hold(self, source: str) -> bool:
        """Ends the hold of a source; False when it was not held."""
        if self.hold_for(source) is None:
            return False
        with self.writing() as connection:
            connection.execute(delete(table).where(table.c.source == source))
        return True
