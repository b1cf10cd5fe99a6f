"""The deny-list: documents and sources that must not be answered from, from this moment on.

Every search reads it and filters before ranking, so a revocation does not wait for an index or a release.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, bindparam, delete, select

from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import denied_documents, denied_sources


@dataclass(frozen=True, slots=True)
class Denied:
    """What no search may return: ids of documents, and names of sources."""

    documents: frozenset[str]
    sources: frozenset[str]


@dataclass(frozen=True, slots=True)
class Denials:
    """The same with the time at which each was denied last."""

    documents: Mapping[str, datetime]
    sources: Mapping[str, datetime]


class Revocations(Database):
    """What must not be answered from."""

    def deny_documents(self, source: str, documents: Iterable[tuple[str, str]], reason: str) -> None:
        """Denies documents, given as (document_id, uri). One that is denied already keeps its reason."""
        now = utc_now()
        rows = [
            {"document_id": document_id, "source": source, "uri": uri, "reason": reason, "denied_at": now}
            for document_id, uri in documents
        ]
        if rows:
            with self.writing() as connection:
                self.upsert(connection, denied_documents, rows, update=["denied_at"])

    def deny_source(self, source: str, reason: str = "") -> None:
        """Denies a whole source, whatever documents it has or will have."""
        with self.writing() as connection:
            row = {"source": source, "reason": reason, "denied_at": utc_now()}
            self.upsert(connection, denied_sources, [row], update=["denied_at"])

    def allow(self, document_ids: Iterable[str]) -> int:
        """Takes documents off the deny-list; returns how many were on it, and writes nothing when none was."""
        gone = self.denied().documents & frozenset(document_ids)
        if gone:
            statement = delete(denied_documents).where(denied_documents.c.document_id == bindparam("gone"))
            with self.writing() as connection:
                connection.execute(statement, [{"gone": document_id} for document_id in sorted(gone)])
        return len(gone)

    def allow_source(self, source: str) -> bool:
        """Takes a source off the deny-list; documents denied on their own stay denied. False when it was not on it."""
        if source not in self.denied().sources:
            return False
        with self.writing() as connection:
            connection.execute(delete(denied_sources).where(denied_sources.c.source == source))
        return True

    def denied(self) -> Denied:
        """The whole deny-list, as one moment saw it."""
        with self.reading() as connection:
            documents = connection.execute(select(denied_documents.c.document_id)).scalars()
            sources = connection.execute(select(denied_sources.c.source)).scalars()
            return Denied(frozenset(documents), frozenset(sources))

    def denials(self) -> Denials:
        """The whole deny-list with its times, as one moment saw it."""
        documents, sources = denied_documents.c, denied_sources.c
        with self.reading() as connection:
            denied = connection.execute(select(documents.document_id, documents.denied_at)).all()
            whole = connection.execute(select(sources.source, sources.denied_at)).all()
        return Denials({row.document_id: row.denied_at for row in denied}, {row.source: row.denied_at for row in whole})

    def withdraw(self, denials: Denials) -> None:
        """Takes off the deny-list what is on it since exactly these times; what was denied again since stays."""
        with self.writing() as connection:
            for table, key, times in (
                (denied_documents, denied_documents.c.document_id, denials.documents),
                (denied_sources, denied_sources.c.source, denials.sources),
            ):
                column: Column[datetime] = table.c.denied_at
                statement = delete(table).where(key == bindparam("gone"), column == bindparam("since"))
                rows = [{"gone": name, "since": since} for name, since in sorted(times.items())]
                if rows:
                    connection.execute(statement, rows)
