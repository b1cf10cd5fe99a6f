"""Inputs that an embedding model refused: they are not sent to it again until a person asks for that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import bindparam, delete, select

from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import refused_inputs as table


class Refusals(Database):
    """Which inputs have no vector in a space, and why. Content-addressed as the embeddings are."""

    def record_refused(self, space: str, errors: Mapping[str, str]) -> None:
        """Records refused inputs of the space with this name: `errors` is input hash → what the model said."""
        now = utc_now()
        rows = [{"space": space, "input_hash": key, "error": error, "refused_at": now} for key, error in errors.items()]
        if rows:
            with self.writing() as connection:
                self.upsert(connection, table, rows, update=["error", "refused_at"])

    def refused(self, space: str) -> dict[str, str]:
        """The refused inputs of a space: input hash → what the model said."""
        with self.reading() as connection:
            rows = connection.execute(select(table.c.input_hash, table.c.error).where(table.c.space == space))
            return {row.input_hash: row.error for row in rows}

    def forget_refused(self, input_hashes: Iterable[str]) -> None:
        """Lets these inputs be sent again, in whatever space they were refused."""
        rows = [{"gone": key} for key in sorted(set(input_hashes))]
        if rows:
            with self.writing() as connection:
                connection.execute(delete(table).where(table.c.input_hash == bindparam("gone")), rows)
