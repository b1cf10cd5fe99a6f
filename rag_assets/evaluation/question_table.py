"""Golden questions in their table: what the files say, written as differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from rag_assets import schemas
from rag_assets.evaluation.model import Expected, GoldenQuestion
from rag_assets.fingerprints import data_version, fingerprint
from rag_assets.store import Table

FORMAT = "golden questions@1"


@dataclass(frozen=True, slots=True)
class QuestionsResult:
    """What a sync did. `version` is `questions_version`; `table_version` counts the table's commits."""

    questions: int
    inserted: int
    updated: int
    deleted: int
    commits: int
    version: str
    table_version: int


def sync_questions(table: Table, questions: Sequence[GoldenQuestion]) -> QuestionsResult:
    """Makes the table hold exactly `questions`; where it does already, nothing is written."""
    rows = [_row(question) for question in questions]
    wanted = {row["question_id"] for row in rows}
    stored = table.rows([table.key])[table.key].to_pylist()
    gone = sorted(set(stored) - wanted)
    result = table.apply(pa.Table.from_pylist(rows, schema=schemas.GOLDEN_QUESTIONS), gone)
    return QuestionsResult(
        questions=len(rows),
        inserted=result.inserted,
        updated=result.updated,
        deleted=result.deleted,
        commits=result.commits,
        version=questions_version(questions),
        table_version=result.version,
    )


def stored_questions(table: Table) -> list[GoldenQuestion]:
    """The questions that the table holds, in the order of their ids; none when it does not exist."""
    rows = table.rows().to_pylist()
    return sorted((_question(row) for row in rows), key=lambda question: question.question_id)


def questions_version(questions: Sequence[GoldenQuestion]) -> str:
    """The version of a set of questions: their ids, contents and tags, whatever their order."""
    return data_version(((question.question_id, _row(question)["row_hash"]) for question in questions), FORMAT)


def _row(question: GoldenQuestion) -> dict[str, Any]:
    row = asdict(question)
    return {**row, "row_hash": fingerprint(**row)}


def _question(row: dict[str, Any]) -> GoldenQuestion:
    return GoldenQuestion(
        question_id=row["question_id"],
        question=row["question"],
        expected=tuple(Expected(**place) for place in row["expected"]),
        answers=tuple(row["answers"]),
        answerable=row["answerable"],
        tags=tuple(row["tags"]),
        split=row["split"],
        question_hash=row["question_hash"],
    )
