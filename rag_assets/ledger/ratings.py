"""Ratings: what people thought of answers, with the release that gave them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select

from rag_assets.errors import LedgerError
from rag_assets.ledger.columns import storable, utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import answers as answers_table
from rag_assets.ledger.tables import ratings as table


@dataclass(frozen=True, slots=True)
class Rating:
    """One person's opinion of one answer. Several may rate an answer, and a later one does not replace an earlier."""

    answer_id: str
    release_id: str
    rating: Literal["good", "bad"]
    reason: str
    rated_by: str
    created_at: datetime


class Ratings(Database):
    """What people thought of answers."""

    def record_rating(self, answer_id: str, rating: Literal["good", "bad"], *, reason: str = "", by: str) -> Rating:
        """Adds a rating. Raises `LedgerError` when there is no such answer."""
        with self.writing() as connection:
            release_id = connection.execute(
                select(answers_table.c.release_id).where(answers_table.c.answer_id == storable(answer_id))
            ).scalar_one_or_none()
            if release_id is None:
                raise LedgerError(
                    f"There is no answer {answer_id!r}.",
                    fix="Its id is the answer_id that ask --json printed with it.",
                )
            given = Rating(answer_id, release_id, rating, reason, by, utc_now())
            connection.execute(
                table.insert().values(
                    answer_id=given.answer_id,
                    release_id=given.release_id,
                    rating=given.rating,
                    reason=given.reason,
                    rated_by=given.rated_by,
                    created_at=given.created_at,
                )
            )
        return given

    def ratings(
        self, *, answer_id: str | None = None, release_id: str | None = None, limit: int | None = None
    ) -> list[Rating]:
        """The ratings of one answer, of one release, or all; newest first."""
        columns = [column for column in table.c if column.name != "id"]
        statement = select(*columns).order_by(table.c.id.desc()).limit(limit)
        if answer_id is not None:
            statement = statement.where(table.c.answer_id == answer_id)
        if release_id is not None:
            statement = statement.where(table.c.release_id == release_id)
        with self.reading() as connection:
            return [Rating(**row._mapping) for row in connection.execute(statement)]
