"""Documents that failed, until they succeed or vanish."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, select

from rag_assets.ledger.columns import storable, utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import failures as table


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that could not be loaded, parsed, chunked or embedded: the last error and how often it was tried."""

    source: str
    uri: str
    document_id: str
    stage: str
    error: str
    attempts: int
    first_seen: datetime
    last_seen: datetime


class Failures(Database):
    """Which documents failed."""

    def record_failure(self, source: str, uri: str, document_id: str, stage: str, error: str) -> None:
        """Records one more failed attempt at a document, with its newest stage and error."""
        now = utc_now()
        key = {"source": source, "uri": uri, "document_id": document_id}
        row = {**key, "stage": stage, "error": error, "attempts": 1, "first_seen": now, "last_seen": now}
        changes = {"stage": stage, "error": error, "attempts": table.c.attempts + 1, "last_seen": now}
        with self.writing() as connection:
            self.upsert(connection, table, [row], update=changes)

    def clear_failures(self, source: str, uris: Iterable[str] | None = None) -> int:
        """Forgets the failures of these documents, or of the whole source; returns how many there were.

        Writes nothing when none of them failed, so it can be called with every document of a source.
        """
        recorded = {failure.uri for failure in self.failures(source)}
        gone = recorded if uris is None else recorded & {storable(uri) for uri in uris}
        if gone:
            statement = delete(table).where(table.c.source == source, table.c.uri == bindparam("gone"))
            with self.writing() as connection:
                connection.execute(statement, [{"gone": uri} for uri in sorted(gone)])
        return len(gone)

    def failures(self, source: str | None = None) -> list[Failure]:
        """The failed documents of one source or of all, by source and uri."""
        statement = select(table).order_by(table.c.source, table.c.uri)
        if source is not None:
            statement = statement.where(table.c.source == source)
        with self.reading() as connection:
            return [Failure(**row._mapping) for row in connection.execute(statement)]
