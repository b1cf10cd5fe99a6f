"""Documents that failed, until they succeed or vanish; and those that a person gave up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, literal_column, select, update

from rag_assets.ledger.columns import storable, utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import failures as table

FAILED = "failed"
DROPPED = "dropped"
_UPDATED = ("document_id", "stage", "error", "gate", "retry_after", "state", "last_seen")


@dataclass(frozen=True, slots=True)
class FailedDocument:
    """One failure to record. `gate` names what decided it; `retry_after` is None when only a change can mend it.

    `attempted` is False where nothing was tried now: the model refused one of the document's inputs before.
    """

    uri: str
    document_id: str
    stage: str
    error: str
    gate: str = ""
    retry_after: datetime | None = None
    attempted: bool = True


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that could not be loaded, parsed, chunked or embedded: the last error and how often it was tried.

    `gate` is the fingerprint of the document and of the settings that decided the failure. `state` is `failed`, or
    `dropped` when a person gave the document up.
    """

    source: str
    uri: str
    document_id: str
    stage: str
    error: str
    attempts: int
    first_seen: datetime
    last_seen: datetime
    gate: str
    retry_after: datetime | None
    state: str

    @property
    def dropped(self) -> bool:
        """Whether a person gave the document up."""
        return self.state == DROPPED

    def is_due(self, gate: str, now: datetime) -> bool:
        """Whether a new attempt can end otherwise: what decided it changed to `gate`, or its time has come."""
        return gate != self.gate or (self.retry_after is not None and now >= self.retry_after)


class Failures(Database):
    """Which documents failed."""

    def record_failures(self, source: str, failed: Sequence[FailedDocument]) -> None:
        """Records failed attempts at documents, each with its newest stage and error. One given up is not any more."""
        now = utc_now()
        rows = [
            {
                "source": source,
                "uri": one.uri,
                "document_id": one.document_id,
                "stage": one.stage,
                "error": one.error,
                "attempts": int(one.attempted),
                "first_seen": now,
                "last_seen": now,
                "gate": one.gate,
                "retry_after": one.retry_after,
                "state": FAILED,
            }
            for one in failed
        ]
        if not rows:
            return
        changes: dict[str, Any] = {name: literal_column(f"excluded.{name}") for name in _UPDATED}
        changes["attempts"] = table.c.attempts + literal_column("excluded.attempts")
        with self.writing() as connection:
            self.upsert(connection, table, rows, update=changes)

    def clear_failures(self, source: str, uris: Iterable[str] | None = None) -> int:
        """Forgets the failures of these documents, or of the whole source; returns how many there were.

        Those of documents that were given up are among them. Writes nothing when none of them failed, so it can be
        called with every document of a source.
        """
        recorded = {failure.uri for failure in self.quarantined(source)}
        gone = recorded if uris is None else recorded & {storable(uri) for uri in uris}
        if gone:
            statement = delete(table).where(table.c.source == source, table.c.uri == bindparam("gone"))
            with self.writing() as connection:
                connection.execute(statement, [{"gone": uri} for uri in sorted(gone)])
        return len(gone)

    def failures(self, source: str | None = None) -> list[Failure]:
        """The failed documents of one source or of all, by source and uri, without those that were given up."""
        return [failure for failure in self.quarantined(source) if not failure.dropped]

    def quarantined(self, source: str | None = None) -> list[Failure]:
        """The failed documents of one source or of all, by source and uri, those that were given up included."""
        statement = select(table).order_by(table.c.source, table.c.uri)
        if source is not None:
            statement = statement.where(table.c.source == source)
        with self.reading() as connection:
            return [Failure(**row._mapping) for row in connection.execute(statement)]

    def dropped_documents(self, source: str | None = None) -> frozenset[str]:
        """The ids of the documents of one source, or of all, that a person gave up."""
        return frozenset(failure.document_id for failure in self.quarantined(source) if failure.dropped)

    def sources_to_retry(self, now: datetime) -> frozenset[str]:
        """The sources that have a failed document whose time to be tried again has come."""
        due = (table.c.state == FAILED) & (table.c.retry_after <= now)
        with self.reading() as connection:
            return frozenset(connection.execute(select(table.c.source).where(due).distinct()).scalars())

    def retry_failures(self, source: str, uris: Iterable[str]) -> None:
        """Makes these documents due at once, also those that were given up. Their attempts still count."""
        # Since it failed last, so that waits that grow start anew.
        changes = {"state": FAILED, "retry_after": table.c.last_seen}
        self._update_failures(source, [{"it": storable(uri)} for uri in uris], changes)

    def drop_failures(self, source: str, gates: Mapping[str, str]) -> None:
        """Gives up documents: `gates` is uri → what names the document as it is. It is due again when that changes."""
        rows = [{"it": storable(uri), "as_it_is": gate} for uri, gate in gates.items()]
        self._update_failures(source, rows, {"state": DROPPED, "retry_after": None, "gate": bindparam("as_it_is")})

    def _update_failures(self, source: str, rows: list[dict[str, str]], values: Mapping[str, Any]) -> None:
        if rows:
            statement = update(table).where(table.c.source == source, table.c.uri == bindparam("it")).values(**values)
            with self.writing() as connection:
                connection.execute(statement, rows)
