"""Which generations there are, and the removal of those that nothing needs any more.

A generation is needed while it is the one that the configuration asks for, or while a snapshot of it is pinned: that of
the serving release, of one that can be gone back to, or of a candidate (see `retention`). What is needed no more stays
for a configured time, counted from when its last pin went or its last row was written, whichever came later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from rag_assets.errors import StoreError
from rag_assets.ingestion.generation import Generation
from rag_assets.ledger import Ledger, Snapshot
from rag_assets.releasing.coverage import INDEXED, subject_of_index
from rag_assets.store import Store

INDEX_PREFIX = "vector_index__"
EMBEDDINGS_PREFIX = "embeddings__"


@dataclass(frozen=True, slots=True)
class GenerationRow:
    """A generation that has an index table, or had one. `rows` and `bytes` are of its newest version, 0 without one.

    `releases` are the ids of those that can be gone back to, newest first. `needed`: it is configured or pinned.
    """

    generation: str
    embedding_space: str
    parts: dict[str, Any]
    rows: int
    bytes: int
    configured: bool
    serving: bool
    needed: bool
    releases: tuple[str, ...]
    written_at: datetime | None


@dataclass(frozen=True, slots=True)
class DroppedTables:
    """Names of the index and embeddings tables that were removed, and the bytes of their newest versions."""

    tables: tuple[str, ...] = ()
    bytes: int = 0


@dataclass(slots=True)
class _Use:
    """What the ledger knows of the use of one table."""

    pinned: bool = False
    until: list[datetime] = field(default_factory=list)

    def note(self, snapshot: Snapshot) -> None:
        if snapshot.unpinned_at is None:
            self.pinned = True
        else:
            self.until.append(snapshot.unpinned_at)


def generations(store: Store, ledger: Ledger, present: Generation) -> list[GenerationRow]:
    """Every generation with an index table or a pinned snapshot, and `present`; the serving one first, newest next."""
    snapshots: dict[str, list[Snapshot]] = {}
    for snapshot in ledger.snapshots():
        snapshots.setdefault(snapshot.generation, []).append(snapshot)
    tables = {name.removeprefix(INDEX_PREFIX) for name in store.table_names() if name.startswith(INDEX_PREFIX)}
    pinned = {key for key, group in snapshots.items() if any(one.unpinned_at is None for one in group)}
    rows = [_row(store, ledger, key, snapshots.get(key, []), present) for key in tables | pinned | {present.id}]
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(rows, key=lambda row: (row.serving, row.written_at or oldest, row.generation), reverse=True)


def _row(store: Store, ledger: Ledger, key: str, snapshots: list[Snapshot], present: Generation) -> GenerationRow:
    kept = {one.snapshot_id for one in snapshots if one.unpinned_at is None}
    serving = ledger.serving()
    state = _state(store, f"{INDEX_PREFIX}{key}")
    configured = key == present.id
    details = present.parts if configured else next((one.details for one in snapshots), {})
    space = present.space.name if configured else next((one.space for one in snapshots), "")
    return GenerationRow(
        generation=key,
        embedding_space=space,
        parts={name: details[name] for name in present.parts if name in details},
        rows=state.rows,
        bytes=state.bytes,
        configured=configured,
        serving=serving is not None and serving.snapshot_id in {one.snapshot_id for one in snapshots},
        needed=configured or bool(kept),
        releases=tuple(one.release_id for one in ledger.releases() if one.snapshot_id in kept),
        written_at=state.written_at,
    )


def drop_unneeded(
    store: Store,
    ledger: Ledger,
    present: Generation,
    *,
    keep_days: int,
    keep_embeddings_days: int | None,
    now: datetime | None = None,
) -> DroppedTables:
    """Removes index tables that nothing has needed for `keep_days`, and vectors after `keep_embeddings_days`.

    None keeps all vectors, so that going back to any model costs nothing. Waits for writers of what it removes. Raises
    `TableLockedError`.
    """
    now = now or datetime.now(UTC)
    indices: dict[str, _Use] = {}
    spaces: dict[str, _Use] = {}
    for snapshot in ledger.snapshots():
        indices.setdefault(snapshot.table, _Use()).note(snapshot)
        spaces.setdefault(f"{EMBEDDINGS_PREFIX}{snapshot.space}", _Use()).note(snapshot)
    kept = {f"{INDEX_PREFIX}{present.id}", f"{EMBEDDINGS_PREFIX}{present.space.name}"}
    names = [name for name in store.table_names() if name not in kept]
    due = [
        *_due(store, names, INDEX_PREFIX, indices, now - timedelta(days=keep_days)),
        *(
            _due(store, names, EMBEDDINGS_PREFIX, spaces, now - timedelta(days=keep_embeddings_days))
            if keep_embeddings_days is not None
            else ()
        ),
    ]
    for name, _ in due:
        store.drop(name)
        _forget_index_steps(ledger, name)
    return DroppedTables(tuple(name for name, _ in due), sum(size for _, size in due))


def _due(
    store: Store, names: Iterable[str], prefix: str, uses: dict[str, _Use], limit: datetime
) -> list[tuple[str, int]]:
    """Tables with this prefix that nobody reads now and that were needed last before `limit`, and their bytes."""
    due = []
    for name in names:
        use = uses.get(name, _Use())
        if not name.startswith(prefix) or use.pinned or store.versions_read(name):
            continue
        state = _state(store, name)
        needed = [*use.until, *([state.written_at] if state.written_at else [])]
        if needed and max(needed) <= limit:
            due.append((name, state.bytes))
    return due


def _forget_index_steps(ledger: Ledger, table: str) -> None:
    """The index steps that ran over a table that is gone have to run again."""
    for subject in sorted({verdict.subject for verdict in ledger.verdicts(INDEXED)}):
        if subject.startswith(subject_of_index(table, "")):
            ledger.record_verdict(INDEXED, subject, False, {"reason": "its table was removed"})


@dataclass(frozen=True, slots=True)
class _State:
    rows: int = 0
    bytes: int = 0
    written_at: datetime | None = None


def _state(store: Store, name: str) -> _State:
    """What a table holds and when its newest version was written; nothing for one that is gone or damaged."""
    try:
        table = store.stored(name)
    except StoreError:  # what a removal that was cut short left
        return _State()
    handle = table.latest() if table is not None else None
    if handle is None:
        return _State()
    stats, version = handle.stats(), handle.version
    # Local times without a zone, as `store.maintenance` has it.
    times = [entry["timestamp"].astimezone(UTC) for entry in handle.list_versions() if entry["version"] == version]
    return _State(stats["num_rows"], stats["total_bytes"], times[0] if times else None)
