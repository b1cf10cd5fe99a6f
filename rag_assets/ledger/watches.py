"""Watches: what the file watch saw last of each source, and which sources it has paused."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, select

from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import watched_sources as table


@dataclass(frozen=True, slots=True)
class Watch:
    """The state of the watch of one source.

    `digest` is that of the listing that was launched last, over `files` files. `failures` counts failures in a row and
    `error` is the sentence of the last one. From `paused_at` on the source is left alone until its files change or
    somebody resumes it.
    """

    source: str
    digest: str
    files: int
    failures: int
    error: str
    checked_at: datetime
    launched_at: datetime | None = None
    verified_at: datetime | None = None
    paused_at: datetime | None = None


class Watches(Database):
    """What the file watch remembers."""

    def watches(self) -> dict[str, Watch]:
        """Source → its watch, of all that were ever looked at."""
        with self.reading() as connection:
            return {row.source: Watch(**row._mapping) for row in connection.execute(select(table))}

    def record_watch(self, watch: Watch) -> None:
        """Replaces the state of one source's watch."""
        row = asdict(watch)
        with self.writing() as connection:
            self.upsert(connection, table, [row], update=[name for name in row if name != "source"])

    def forget_watch(self, source: str) -> None:
        """Forgets a source, so that it is looked at anew."""
        with self.writing() as connection:
            connection.execute(delete(table).where(table.c.source == source))
