"""Answers: what was asked, what was said, from which release, and what it cost."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, cast, select

from rag_assets.errors import LedgerError
from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import answers as table
from rag_assets.ledger.tables import releases

SEARCHED_ANSWERS = 100_000
"""Answers are searched by what they cite without an index: these many take SQLite about a second."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it was given. `usage` holds the token counts; `cost_usd` is None where the price is unknown."""

    answer_id: str
    release_id: str
    question: str
    answer: str
    answerable: bool
    citations: list[dict[str, Any]]
    model: str
    usage: dict[str, Any]
    cost_usd: float | None
    latency_ms: float
    created_at: datetime


def new_answer_id() -> str:
    """An id for an answer that is still being made, so that its model calls can be recorded with it."""
    return uuid.uuid4().hex


class Answers(Database):
    """What was answered."""

    def record_answer(
        self,
        *,
        release_id: str,
        question: str,
        answer: str,
        answerable: bool,
        citations: Sequence[Mapping[str, Any]],
        model: str,
        usage: Mapping[str, Any],
        cost_usd: float | None,
        latency_ms: float,
        answer_id: str | None = None,
    ) -> str:
        """Records an answer and returns its id. Raises `LedgerError` when the release does not exist."""
        answer_id = answer_id or new_answer_id()
        with self.writing() as connection:
            if not connection.execute(select(releases.c.release_id).where(releases.c.release_id == release_id)).first():
                raise LedgerError(f"The answer names release {release_id!r}, which the ledger does not have.")
            connection.execute(
                table.insert().values(
                    answer_id=answer_id,
                    release_id=release_id,
                    question=question,
                    answer=answer,
                    answerable=answerable,
                    citations=[dict(citation) for citation in citations],
                    model=model,
                    usage=dict(usage),
                    cost_usd=cost_usd,
                    latency_ms=latency_ms,
                    created_at=utc_now(),
                )
            )
        return answer_id

    def answer(self, answer_id: str) -> Answer | None:
        """The answer with this id."""
        with self.reading() as connection:
            row = connection.execute(select(table).where(table.c.answer_id == answer_id)).one_or_none()
        return Answer(**row._mapping) if row else None

    def answers(self, *, limit: int = 50) -> list[Answer]:
        """The newest answers first, at most `limit`."""
        with self.reading() as connection:
            rows = connection.execute(select(table).order_by(table.c.created_at.desc(), table.c.answer_id).limit(limit))
            return [Answer(**row._mapping) for row in rows]

    def answers_citing(self, uri: str, *, source: str, limit: int = 50) -> list[Answer]:
        """The newest answers that cite the document `uri` of `source`, among the newest `SEARCHED_ANSWERS`."""
        newest = select(table).order_by(table.c.created_at.desc(), table.c.answer_id).limit(SEARCHED_ANSWERS).subquery()
        # Citations are one JSON text: it is narrowed by how the uri is written in it, and read only then.
        written = json.dumps(uri)
        statement = (
            select(newest)
            .where(cast(newest.c.citations, Text).contains(written, autoescape=True))
            .order_by(newest.c.created_at.desc(), newest.c.answer_id)
        )
        found: list[Answer] = []
        with self.reading() as connection:
            for row in connection.execute(statement):
                answer = Answer(**row._mapping)
                if any(one.get("uri") == uri and one.get("source") == source for one in answer.citations):
                    found.append(answer)
                if len(found) == limit:
                    break
        return found
