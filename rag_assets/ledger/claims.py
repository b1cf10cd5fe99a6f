"""Claims: which process is about to embed which inputs, so that two that run at once do not pay for the same one.

A claim is made before an input is sent and ends when its vector is stored. One whose owner died is for others to
delete; they tell by its lease, or, on the same machine, at once by the lock that the owner held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update

from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import embedding_claims as table


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who holds `inputs` of the claims that were asked for, where it runs, and until when unless it renews them."""

    owner: str
    place: str
    inputs: int
    expires_at: datetime


class Claims(Database):
    """Who embeds what. Inputs are named by embedding space and input hash."""

    def claim_inputs(self, space: str, hashes: Sequence[str], owner: str, place: str, lease: timedelta) -> set[str]:
        """Claims those of `hashes` (2,048 at most) that nobody has, in one transaction; returns those of others.

        `place` names where the lock of `owner` can be looked at.
        """
        now = utc_now()
        row = {"space": space, "owner": owner, "place": place, "claimed_at": now, "expires_at": now + lease}
        of_others = select(table.c.input_hash).where(
            table.c.space == space, table.c.input_hash.in_(hashes), table.c.owner != owner
        )
        with self.writing() as connection:
            # In one order for all: on PostgreSQL two that insert the same keys wait for each other key by key.
            self.upsert(connection, table, [{**row, "input_hash": key} for key in sorted(hashes)])
            return set(connection.execute(of_others).scalars())

    def claimants(self, space: str, hashes: Sequence[str]) -> list[Claimant]:
        """Who holds claims on `hashes` (2,048 at most) now."""
        statement = (
            select(table.c.owner, table.c.place, func.count(), func.max(table.c.expires_at))
            .where(table.c.space == space, table.c.input_hash.in_(hashes))
            .group_by(table.c.owner, table.c.place)
        )
        with self.reading() as connection:
            return [Claimant(*row) for row in connection.execute(statement)]

    def renew_claims(self, owner: str, lease: timedelta) -> None:
        """Lets what `owner` holds expire `lease` from now."""
        with self.writing() as connection:
            statement = update(table).where(table.c.owner == owner)
            connection.execute(statement.values(expires_at=utc_now() + lease))

    def end_claims(self, owner: str, space: str | None = None, hashes: Sequence[str] | None = None) -> int:
        """Ends the claims of `owner`, all or those on `hashes` of `space`; returns how many there were."""
        statement = delete(table).where(table.c.owner == owner)
        if hashes is not None:
            statement = statement.where(table.c.space == space, table.c.input_hash.in_(hashes))
        with self.writing() as connection:
            return connection.execute(statement).rowcount
