"""Emptying the ledger: for starting anew while other processes have it open, so that its file has to stay."""

from __future__ import annotations

from sqlalchemy import delete, update

from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import serving


def empty(database: Database) -> int:
    """Removes every row in one transaction; returns how many. Nothing serves afterwards; the schema stays."""
    removed = 0
    with database.writing() as connection:
        connection.execute(update(serving).values(release_id=None))
        for table in reversed(serving.metadata.sorted_tables):
            if table is not serving:  # its one row says what serves, and must be there
                removed += connection.execute(delete(table)).rowcount
    return removed
