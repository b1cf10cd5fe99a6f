"""Releases, which one serves, and the history of what served.

A release never changes. Two releases with equal content are one release, so a run that changes nothing makes none, and
going back to an earlier content goes back to the earlier release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select, update

from rag_assets.errors import GateError, LedgerError, NoReleaseError
from rag_assets.fingerprints import fingerprint
from rag_assets.ledger.columns import storable, utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import releases as table
from rag_assets.ledger.tables import serving, serving_history, snapshots

DERIVED_ID_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Release:
    """What answers are given from: an index snapshot, prompts, a chat model and settings.

    `space` is the embedding space of its snapshot. `metrics` were known when the release was made; they are no part of
    its identity.
    """

    release_id: str
    snapshot_id: str
    content_hash: str
    prompts: dict[str, str]
    chat_model: str
    retrieval: dict[str, Any]
    answering: dict[str, Any]
    details: dict[str, Any]
    metrics: dict[str, Any]
    created_at: datetime
    space: str


@dataclass(frozen=True, slots=True)
class ServingChange:
    """One flip of what serves: who did it, when, why, and what served before.

    `forced` says that a person made it against a gate that did not pass.
    """

    release_id: str
    previous_release_id: str | None
    reason: str
    served_by: str
    rollback: bool
    served_at: datetime
    forced: bool = False


class Releases(Database):
    """What was released and what serves."""

    def create_release(
        self,
        release_id: str | None,
        snapshot_id: str,
        prompts: Mapping[str, str],
        chat_model: str,
        *,
        retrieval: Mapping[str, Any] | None = None,
        answering: Mapping[str, Any] | None = None,
        details: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> Release:
        """Makes a release, or returns the one that has this content, whatever its id.

        Content is everything but `release_id` and `metrics`. Without an id one is derived from the content. Raises
        `LedgerError` when the id stands for another content or the snapshot is not recorded.
        """
        content = {
            "snapshot_id": snapshot_id,
            "prompts": dict(prompts),
            "chat_model": chat_model,
            "retrieval": dict(retrieval or {}),
            "answering": dict(answering or {}),
            "details": dict(details or {}),
        }
        content_hash = release_content_hash(content)
        release_id = release_id or content_hash[:DERIVED_ID_LENGTH]
        with self.writing() as connection:
            if not connection.execute(select(snapshots.c.tag).where(snapshots.c.snapshot_id == snapshot_id)).first():
                raise LedgerError(f"Snapshot {snapshot_id} is not recorded.", fix="Materialize index_snapshot first.")
            made = {"metrics": dict(metrics or {}), "created_at": utc_now()}
            row = {**content, **made, "release_id": release_id, "content_hash": content_hash}
            self.upsert(connection, table, [row])
            found = _read(connection, table.c.content_hash == content_hash)
        if not found:
            raise LedgerError(
                f"Release {release_id} exists with another content.",
                fix="A release never changes: give the new one an id of its own.",
            )
        return found[0]

    def release(self, release_id: str) -> Release | None:
        """The release with this id."""
        with self.reading() as connection:
            return next(iter(_read(connection, table.c.release_id == storable(release_id))), None)

    def releases(self) -> list[Release]:
        """All releases, newest first."""
        with self.reading() as connection:
            return _read(connection)

    def serving(self) -> Release | None:
        """The release that answers are given from now."""
        with self.reading() as connection:
            current = select(serving.c.release_id).scalar_subquery()
            return next(iter(_read(connection, table.c.release_id == current)), None)

    def serve(
        self,
        release_id: str,
        reason: str,
        by: str,
        *,
        rollback: bool = False,
        forced: bool = False,
        after: Sequence[str | None] | None = None,
    ) -> bool:
        """Makes `release_id` the one that serves, in one transaction with its history row.

        Returns False, and writes nothing, when it serves already. Raises `NoReleaseError` when it does not exist, and
        when it was pruned: its snapshot is no longer kept. With `after`, raises `GateError` when none of these serves
        at that moment (None: nothing does), for it was compared with another one.
        """
        with self.writing() as connection:
            previous = connection.execute(select(serving.c.release_id).with_for_update()).scalar_one()
            if not _read(connection, table.c.release_id == release_id):
                raise NoReleaseError(
                    f"There is no release {release_id!r}.", fix="See which there are: rag-assets releases list"
                )
            if previous == release_id:
                return False
            if after is not None and previous not in after:
                raise GateError(
                    f"{release_id} was judged before release {previous} began to serve.",
                    fix="Materialize index_snapshot and eval_report again, or run: rag-assets ingest",
                )
            pruned = connection.execute(
                select(snapshots.c.unpinned_at)
                .join(table, table.c.snapshot_id == snapshots.c.snapshot_id)
                .where(table.c.release_id == release_id)
            ).scalar_one()
            if pruned is not None:
                raise pruned_error(release_id, pruned)
            connection.execute(update(serving).values(release_id=release_id))
            change = ServingChange(release_id, previous, reason, by, rollback, utc_now(), forced)
            connection.execute(
                serving_history.insert().values(
                    release_id=change.release_id,
                    previous_release_id=change.previous_release_id,
                    reason=change.reason,
                    served_by=change.served_by,
                    rollback=change.rollback,
                    served_at=change.served_at,
                    forced=change.forced,
                )
            )
            return True

    def serving_history(self) -> list[ServingChange]:
        """Every flip, newest first."""
        columns = [column for column in serving_history.c if column.name != "id"]
        with self.reading() as connection:
            rows = connection.execute(select(*columns).order_by(serving_history.c.id.desc()))
            return [ServingChange(**row._mapping) for row in rows]

    def rollback_target(self) -> Release | None:
        """What a rollback goes to: the release that served before the current one.

        Flips made by a rollback are taken back, not stacked, so rolling back twice goes two releases back.
        """
        stack = self.serving_stack()
        return self.release(stack[-2]) if len(stack) > 1 else None

    def serving_stack(self) -> list[str]:
        """What serves, last, after what served before it and would again by rollbacks, the oldest first."""
        stack: list[str] = []
        for change in reversed(self.serving_history()):
            if change.rollback and change.release_id in stack:
                last = len(stack) - 1 - stack[::-1].index(change.release_id)
                del stack[last + 1 :]
            else:
                stack.append(change.release_id)
        return stack


def pruned_error(release_id: str, unpinned_at: datetime) -> NoReleaseError:
    """Nothing goes back to a release whose rows are no longer kept."""
    return NoReleaseError(
        f"Release {release_id} was pruned at {unpinned_at.isoformat(timespec='seconds')}: its rows are no longer kept.",
        fix="Choose one that rag-assets releases list shows as kept, or run: rag-assets ingest --all",
    )


def release_content_hash(content: Mapping[str, Any]) -> str:
    """Names this content: equal content is one release. Its first `DERIVED_ID_LENGTH` characters are the release id."""
    return fingerprint(**content)


def _read(connection: Connection, *conditions: Any) -> list[Release]:
    statement: Select[Any] = (
        select(table, snapshots.c.space)
        .join(snapshots, snapshots.c.snapshot_id == table.c.snapshot_id)
        .where(*conditions)
        .order_by(table.c.created_at.desc(), table.c.release_id)
    )
    return [Release(**row._mapping) for row in connection.execute(statement)]
