"""Evaluations: what was measured, question by question, so that nothing is measured or paid for twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import completions as completions_table
from rag_assets.ledger.tables import evaluation_items as items_table
from rag_assets.ledger.tables import evaluations as table

KEYS_AT_ONCE = 500
"""SQLite limits how many values one statement may have."""


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """One evaluation. `measured_id` names what answered and how that was measured; `content` is the former in full.

    `report` is the folder of its report, relative to the folder of all reports, once one was written.
    """

    evaluation_id: str
    measured_id: str
    release_id: str
    snapshot_id: str
    questions_version: str
    questions: int
    content: dict[str, Any]
    metrics: dict[str, Any]
    details: dict[str, Any]
    report: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EvaluationItem:
    """The result of one question, by what was measured and by the question's content."""

    measured_id: str
    question_hash: str
    question_id: str
    scores: dict[str, float]
    result: dict[str, Any]
    latency_ms: float
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Completion:
    """What a chat model said to exactly one request, and what that cost when it was asked."""

    request_hash: str
    model: str
    text: str
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    latency_ms: float


class Evaluations(Database):
    """What was measured."""

    def record_evaluation(
        self,
        evaluation_id: str,
        *,
        measured_id: str,
        release_id: str,
        snapshot_id: str,
        questions_version: str,
        questions: int,
        content: Mapping[str, Any],
        metrics: Mapping[str, Any],
        details: Mapping[str, Any],
    ) -> EvaluationRow:
        """Records an evaluation; a second call with its id says anew what was found, and keeps its time and report."""
        row = {
            "evaluation_id": evaluation_id,
            "measured_id": measured_id,
            "release_id": release_id,
            "snapshot_id": snapshot_id,
            "questions_version": questions_version,
            "questions": questions,
            "content": dict(content),
            "metrics": dict(metrics),
            "details": dict(details),
            "report": None,
            "created_at": utc_now(),
        }
        with self.writing() as connection:
            self.upsert(connection, table, [row], update=("metrics", "details"))
        found = self.evaluation(evaluation_id)
        assert found is not None, "it was recorded just now"
        return found

    def set_report(self, evaluation_id: str, report: str) -> None:
        """Says where the report of an evaluation is."""
        with self.writing() as connection:
            connection.execute(update(table).where(table.c.evaluation_id == evaluation_id).values(report=report))

    def evaluation(self, evaluation_id: str) -> EvaluationRow | None:
        """The evaluation with this id."""
        with self.reading() as connection:
            row = connection.execute(select(table).where(table.c.evaluation_id == evaluation_id)).one_or_none()
        return EvaluationRow(**row._mapping) if row else None

    def evaluations(self, *, release_id: str | None = None, limit: int | None = None) -> list[EvaluationRow]:
        """The evaluations of one release, or all, newest first."""
        statement = select(table).order_by(table.c.created_at.desc(), table.c.evaluation_id).limit(limit)
        if release_id is not None:
            statement = statement.where(table.c.release_id == release_id)
        with self.reading() as connection:
            return [EvaluationRow(**row._mapping) for row in connection.execute(statement)]

    def deciding_evaluations(self, release_id: str) -> list[EvaluationRow]:
        """The evaluations that a release of this id was decided by, newest first; what was only tried is left out."""
        return [row for row in self.evaluations(release_id=release_id) if row.details.get("decides")]

    def record_items(self, items: Sequence[EvaluationItem]) -> None:
        """Keeps results; of a question that has one already for the same `measured_id`, the first stays."""
        if items:
            now = utc_now()
            with self.writing() as connection:
                self.upsert(connection, items_table, [{**asdict(item), "created_at": now} for item in items])

    def items(self, measured_id: str, question_hashes: Iterable[str]) -> dict[str, EvaluationItem]:
        """Question hash → its result, for those of `question_hashes` that have one."""
        wanted = sorted(set(question_hashes))
        columns = [column for column in items_table.c if column.name != "created_at"]
        found: dict[str, EvaluationItem] = {}
        with self.reading() as connection:
            for start in range(0, len(wanted), KEYS_AT_ONCE):
                keys = wanted[start : start + KEYS_AT_ONCE]
                statement = select(*columns).where(
                    items_table.c.measured_id == measured_id, items_table.c.question_hash.in_(keys)
                )
                for row in connection.execute(statement):
                    item = EvaluationItem(**row._mapping)
                    found[item.question_hash] = item
        return found

    def record_completion(self, completion: Completion, *, replace: bool = False) -> None:
        """Keeps what a model said; what an equal request got first stays, unless `replace`."""
        row = {**asdict(completion), "created_at": utc_now()}
        changed = [name for name in row if name != "request_hash"] if replace else []
        with self.writing() as connection:
            self.upsert(connection, completions_table, [row], update=changed)

    def completion(self, request_hash: str, *, since: datetime | None = None) -> Completion | None:
        """What the model said to this request before, or between `since` and now."""
        columns = [column for column in completions_table.c if column.name != "created_at"]
        with self.reading() as connection:
            statement = select(*columns).where(completions_table.c.request_hash == request_hash)
            if since is not None:
                statement = statement.where(completions_table.c.created_at >= since)
            row = connection.execute(statement).one_or_none()
        return Completion(**row._mapping) if row else None

    def forget_completions(self, before: datetime) -> int:
        """Removes what models said before `before`; returns how many."""
        with self.writing() as connection:
            return connection.execute(delete(completions_table).where(completions_table.c.created_at < before)).rowcount
