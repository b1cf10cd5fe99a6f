"""Tuning jobs: what is wanted is on record before a provider is asked for it, and every attempt stays.

    intended ──► submitted ──► succeeded | failed | cancelled | expired
        └──────► refused | cancelled

`intended`: nothing is known at the provider yet, though a call may be under way. `refused`: stopped before anything was
paid, by a budget or by the provider. One key has at most one attempt that is open, and a succeeded one is the last.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, or_, select, update

from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tuning_tables import tuning_jobs as table

INTENDED = "intended"
SUBMITTED = "submitted"
SUCCEEDED = "succeeded"
FAILED = "failed"
CANCELLED = "cancelled"
EXPIRED = "expired"
REFUSED = "refused"
OPEN = (INTENDED, SUBMITTED)
UNSUCCESSFUL = (FAILED, CANCELLED, EXPIRED, REFUSED)


@dataclass(frozen=True, slots=True)
class TuningWish:
    """What is to be trained, on what, with which settings. `key` is a hash of all that decides the result."""

    key: str
    provider: str
    base_model: str
    training_file: str
    seed: int
    suffix: str = ""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    estimated_cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class TuningJob:
    """One attempt. `called_at`: when a job was last asked for whose id has not arrived; `details`: what was told."""

    intent_id: str
    key: str
    attempt: int
    state: str
    provider: str
    base_model: str
    training_file: str
    hyperparameters: dict[str, Any]
    seed: int
    suffix: str
    train_file_id: str | None
    validation_file_id: str | None
    job_id: str | None
    model_id: str | None
    trained_tokens: int | None
    estimated_cost_usd: float | None
    cost_usd: float | None
    reservation_id: str | None
    error: str
    details: dict[str, Any]
    run_id: str | None
    created_at: datetime
    called_at: datetime | None
    submitted_at: datetime | None
    deadline: datetime | None
    checked_at: datetime | None
    finished_at: datetime | None
    collected_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether it may still become a model."""
        return self.state in OPEN

    @property
    def stands(self) -> bool:
        """Whether it is what its wish comes to: no other attempt is begun beside it."""
        return self.is_open or self.state == SUCCEEDED

    @property
    def name(self) -> str:
        """The provider's id of the job, or the intent's before it has one."""
        return self.job_id or self.intent_id


class TuningJobs(Database):
    """Attempts to tune a model."""

    def begin_tuning(self, wish: TuningWish, *, run_id: str | None = None, gone: str | None = None) -> TuningJob:
        """The attempt for this wish: the open one, else the succeeded one, else a new one. Two at once get the same.

        The attempt with the id `gone`, which succeeded, does not count: its model is gone.
        """
        with self.writing() as connection:
            newest = self._newest_tuning(connection, wish.key)
            if newest is not None and newest.stands and newest.intent_id != gone:
                return newest
            row = {
                **asdict(wish),
                "intent_id": secrets.token_hex(16),
                "attempt": newest.attempt + 1 if newest else 1,
                "state": INTENDED,
                "error": "",
                "details": {},
                "run_id": run_id,
                "created_at": utc_now(),
            }
            # Where another process was faster, its row has the same key and attempt, and is the one that is found.
            self.upsert(connection, table, [row])
            found = self._newest_tuning(connection, wish.key)
        assert found is not None
        return found

    def newest_tuning(self, key: str) -> TuningJob | None:
        """The last attempt for the wish with this key, however it ended."""
        with self.reading() as connection:
            return self._newest_tuning(connection, key)

    def tuning_job(self, name: str) -> TuningJob | None:
        """The attempt with this intent id, or with this job id at its provider (the newest, were there several)."""
        named = or_(table.c.intent_id == name, table.c.job_id == name)
        found = self._tuning_rows(select(table).where(named).order_by(table.c.created_at.desc()).limit(1))
        return found[0] if found else None

    def tuning_jobs(self, *, states: tuple[str, ...] = (), limit: int | None = None) -> list[TuningJob]:
        """The attempts, newest first; only those in one of `states` where some are given."""
        statement = select(table).order_by(table.c.created_at.desc(), table.c.attempt.desc()).limit(limit)
        return self._tuning_rows(statement.where(table.c.state.in_(states)) if states else statement)

    def tuning_to_collect(self) -> list[TuningJob]:
        """Attempts that were submitted and ended, and whose end nothing has taken in yet, oldest first."""
        ended = table.c.state.not_in(OPEN) & table.c.job_id.is_not(None) & table.c.collected_at.is_(None)
        return self._tuning_rows(select(table).where(ended).order_by(table.c.finished_at))

    def tuning_job_ids(self) -> frozenset[str]:
        """The ids of every job that belongs to an attempt."""
        with self.reading() as connection:
            found = connection.execute(select(table.c.job_id).where(table.c.job_id.is_not(None))).scalars()
            return frozenset(found)

    def reserve_tuning(self, intent_id: str, reservation_id: str) -> bool:
        """Puts a reservation behind the attempt; False where it has one already."""
        unreserved = (table.c.intent_id == intent_id) & table.c.reservation_id.is_(None)
        return self._change_tuning(unreserved, reservation_id=reservation_id)

    def name_tuning_files(self, intent_id: str, train_file_id: str, validation_file_id: str | None) -> TuningJob:
        """Notes the uploaded files, unless others were noted first; returns the attempt as it is."""
        unnamed = (table.c.intent_id == intent_id) & table.c.train_file_id.is_(None)
        self._change_tuning(unnamed, train_file_id=train_file_id, validation_file_id=validation_file_id)
        return self._existing_tuning(intent_id)

    def claim_tuning_call(self, intent_id: str, seen: datetime | None) -> datetime | None:
        """Takes the right to ask for the job, once, by moving `called_at` on from what the caller saw of it.

        Returns the new `called_at`, or None where another process was faster.
        """
        now = utc_now()
        as_seen = table.c.called_at.is_(None) if seen is None else table.c.called_at == seen
        mine = (table.c.intent_id == intent_id) & (table.c.state == INTENDED) & as_seen
        return now if self._change_tuning(mine, called_at=now) else None

    def forget_tuning_call(self, intent_id: str, called_at: datetime) -> bool:
        """The provider said for certain that the call of `called_at` created nothing; False were it not the last."""
        last = (table.c.intent_id == intent_id) & (table.c.called_at == called_at)
        return self._change_tuning(last & (table.c.state == INTENDED), called_at=None)

    def submit_tuning(self, intent_id: str, job_id: str, deadline: datetime) -> TuningJob:
        """The job is at the provider. A second note of it changes nothing."""
        intended = (table.c.intent_id == intent_id) & (table.c.state == INTENDED)
        self._change_tuning(intended, state=SUBMITTED, job_id=job_id, submitted_at=utc_now(), deadline=deadline)
        return self._existing_tuning(intent_id)

    def note_tuning(self, intent_id: str, details: Mapping[str, Any] | None = None) -> TuningJob:
        """Notes that the provider was asked, and adds to what it told."""
        with self.writing() as connection:
            row = connection.execute(select(table.c.details).where(table.c.intent_id == intent_id).with_for_update())
            merged = {**row.scalar_one(), **(details or {})}
            statement = update(table).where(table.c.intent_id == intent_id)
            connection.execute(statement.values(details=merged, checked_at=utc_now()))
        return self._existing_tuning(intent_id)

    def end_tuning(
        self,
        intent_id: str,
        state: str,
        *,
        error: str = "",
        model_id: str | None = None,
        trained_tokens: int | None = None,
        cost_usd: float | None = None,
        finished_at: datetime | None = None,
    ) -> bool:
        """The attempt came to its end; False where it had ended before, which then stays as it was."""
        if state == SUCCEEDED and not model_id:
            raise ValueError("a job that succeeded has a model")
        return self._change_tuning(
            (table.c.intent_id == intent_id) & table.c.state.in_(OPEN),
            state=state,
            error=error,
            model_id=model_id,
            trained_tokens=trained_tokens,
            cost_usd=cost_usd,
            finished_at=finished_at or utc_now(),
        )

    def collect_tuning(self, intent_id: str) -> bool:
        """Notes that the end was taken in; False where it was before."""
        waiting = (table.c.intent_id == intent_id) & table.c.collected_at.is_(None)
        return self._change_tuning(waiting, collected_at=utc_now())

    def _newest_tuning(self, connection: Connection, key: str) -> TuningJob | None:
        statement = select(table).where(table.c.key == key).order_by(table.c.attempt.desc()).limit(1)
        row = connection.execute(statement).one_or_none()
        return TuningJob(**row._mapping) if row else None

    def _existing_tuning(self, intent_id: str) -> TuningJob:
        with self.reading() as connection:
            return TuningJob(**connection.execute(select(table).where(table.c.intent_id == intent_id)).one()._mapping)

    def _tuning_rows(self, statement: Select[Any]) -> list[TuningJob]:
        with self.reading() as connection:
            return [TuningJob(**row._mapping) for row in connection.execute(statement)]

    def _change_tuning(self, where: ColumnElement[bool], **values: Any) -> bool:
        with self.writing() as connection:
            return bool(connection.execute(update(table).where(where).values(**values)).rowcount)
