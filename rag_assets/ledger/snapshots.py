"""Index snapshots: the exact table version a release is made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from rag_assets.errors import LedgerError
from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import releases, serving
from rag_assets.ledger.tables import snapshots as snapshots_table


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A candidate for a release. `sources` maps each source's name to its data version in the snapshot.

    `tag` is the name that pins `version` of `table` in the store; `space` names the embedding space; `details` holds
    what else is needed to read it. From `unpinned_at` on its version is no longer kept, and nothing can go back to it.
    """

    snapshot_id: str
    generation: str
    table: str
    version: int
    space: str
    tag: str
    retrieval: dict[str, Any]
    sources: dict[str, str]
    created_at: datetime
    details: dict[str, Any] = field(default_factory=dict)
    unpinned_at: datetime | None = None


class Snapshots(Database):
    """What was pinned."""

    def record_snapshot(
        self,
        snapshot_id: str,
        generation: str,
        table_name: str,
        version: int,
        space: str,
        retrieval: Mapping[str, Any],
        sources: Mapping[str, str],
        tag: str,
        *,
        details: Mapping[str, Any] | None = None,
    ) -> Snapshot:
        """Records a snapshot that was just pinned; a second call with equal values returns the first row.

        One that was marked as unpinned counts as pinned again. `details` may differ: the first ones stay. Raises
        `LedgerError` when the id stands for something else already.
        """
        values = {
            "snapshot_id": snapshot_id,
            "generation": generation,
            "table": table_name,
            "version": version,
            "space": space,
            "tag": tag,
            "retrieval": dict(retrieval),
            "sources": dict(sources),
            "details": dict(details or {}),
        }
        with self.writing() as connection:
            row = {**values, "created_at": utc_now(), "unpinned_at": None}
            self.upsert(connection, snapshots_table, [row], update=["unpinned_at"])
            found = connection.execute(
                select(snapshots_table).where(snapshots_table.c.snapshot_id == snapshot_id)
            ).one()
        stored = _snapshot(found)
        identity = {name: value for name, value in values.items() if name != "details"}
        differing = [name for name, value in identity.items() if _as_json(getattr(stored, name)) != _as_json(value)]
        if differing:
            raise LedgerError(
                f"Snapshot {snapshot_id} is recorded with another {', '.join(differing)}.",
                fix="A snapshot never changes: give the new one an id of its own.",
            )
        return stored

    def snapshot(self, snapshot_id: str) -> Snapshot | None:
        """The snapshot with this id."""
        with self.reading() as connection:
            row = connection.execute(
                select(snapshots_table).where(snapshots_table.c.snapshot_id == snapshot_id)
            ).one_or_none()
        return _snapshot(row) if row else None

    def snapshots(self, *, limit: int | None = None) -> list[Snapshot]:
        """All snapshots, newest first, at most `limit`."""
        newest_first = (
            select(snapshots_table)
            .order_by(snapshots_table.c.created_at.desc(), snapshots_table.c.snapshot_id)
            .limit(limit)
        )
        with self.reading() as connection:
            return [_snapshot(row) for row in connection.execute(newest_first)]

    def mark_unpinned(self, snapshot_ids: Iterable[str]) -> list[str]:
        """Says that these are no longer kept, except one that serves; returns those it was said of.

        One transaction with the same lock as `Releases.serve`, so that nothing begins to serve from what is let go.
        """
        wanted = sorted(set(snapshot_ids))
        marked = []
        with self.writing() as connection:
            serves = connection.execute(select(serving.c.release_id).with_for_update()).scalar_one()
            needed = connection.execute(
                select(releases.c.snapshot_id).where(releases.c.release_id == serves)
            ).scalar_one_or_none()
            for snapshot_id in wanted:
                if snapshot_id == needed:
                    continue
                statement = (
                    update(snapshots_table)
                    .where(snapshots_table.c.snapshot_id == snapshot_id, snapshots_table.c.unpinned_at.is_(None))
                    .values(unpinned_at=utc_now())
                )
                if connection.execute(statement).rowcount:
                    marked.append(snapshot_id)
        return marked


def _as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)  # a tuple and the list it is stored as are the same


def _snapshot(row: Row[Any]) -> Snapshot:
    return Snapshot(**row._mapping)
