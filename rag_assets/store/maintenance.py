"""Keeps tables quick to read and no larger than they must be: compaction, and the removal of versions nobody needs.

Every write makes a version that shares unchanged files with the one before. A version can go once no tag keeps it, no
reader on this machine has it open (`readers`), and it is old enough that none elsewhere can still be on it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from rag_assets.errors import StoreError
from rag_assets.failpoints import failpoint
from rag_assets.store.cleanup import Limit, bytes_on_disk, limit_of, remove_versions
from rag_assets.store.snapshots import first_line

if TYPE_CHECKING:
    from lancedb.table import LanceTable

    from rag_assets.store.store import Store
    from rag_assets.store.table import Table

KEEP_VERSIONS = timedelta(days=7)
"""A reader without a lock, such as a step that reads the newest version or a search on another machine, has this long
before its version goes."""
OWN_TABLES = (
    "raw_documents__",
    "chunks__",
    "embeddings__",
    "vector_index__",
    "golden_questions",
    "training_examples__",
)
"""How the names of this project's tables begin; a store that others use too may hold more."""


@dataclass(frozen=True, slots=True)
class TableState:
    """How a table is stored. `data_bytes` is what the newest version refers to, `disk_bytes` all its files, those of
    older versions and of writes that died included; None where they cannot be counted."""

    name: str
    rows: int
    version: int
    versions: int
    fragments: int
    data_bytes: int
    disk_bytes: int | None
    unindexed_rows: int


@dataclass(frozen=True, slots=True)
class Compaction:
    """A table before and after it was compacted; None where it does not exist."""

    before: TableState | None
    after: TableState | None


def table_state(table: Table) -> TableState | None:
    """How `table` is stored now, read from its manifests alone; None when nothing was ever written."""
    handle = table.latest()
    if handle is None:
        return None
    stats = handle.stats()
    return TableState(
        name=table.name,
        rows=stats["num_rows"],
        version=handle.version,
        versions=len(handle.list_versions()),
        fragments=stats["fragment_stats"]["num_fragments"],
        data_bytes=stats["total_bytes"],
        disk_bytes=bytes_on_disk(handle),
        unindexed_rows=table.unindexed_rows(),
    )


def compact(table: Table, *, keep_versions: timedelta = KEEP_VERSIONS) -> Compaction:
    """Merges fragments, completes the indices and removes versions older than `keep_versions` that nobody needs.

    Raises `TableLockedError`, or `StoreError` when the storage fails.
    """
    with table.lock():
        before = table_state(table)
        handle = table.latest()
        if handle is not None:
            _optimize(handle, remove_versions(handle, read=table.versions_read(), keep_versions=keep_versions))
        return Compaction(before, table_state(table))


def own_tables(store: Store) -> list[str]:
    """The names of this project's tables, in a store that may hold others."""
    return [name for name in store.table_names() if name.startswith(OWN_TABLES)]


def compact_all(store: Store) -> list[Compaction]:
    """`compact` for every table of the project, one after another, by name."""
    tables = (store.stored(name) for name in own_tables(store))
    return [compact(table) for table in tables if table is not None]


def optimize(handle: LanceTable, *, read: Collection[int] = (), keep_versions: timedelta = KEEP_VERSIONS) -> None:
    """Merges fragments and completes the indices, for a caller that holds the table's lock.

    Of old versions only those go that are older than all that are needed: pinned, or among `read`. Raises `StoreError`.
    """
    _optimize(handle, limit_of(handle, read=read, keep_versions=keep_versions))


def _optimize(handle: LanceTable, limit: Limit) -> None:
    failpoint("store.during_compaction")
    try:
        handle.optimize(cleanup_older_than=limit.older_than, delete_unverified=limit.unreferenced)
    except (OSError, RuntimeError) as error:
        raise StoreError(
            f"Compacting {handle.name} failed: {first_line(error)}.",
            fix="Check the space and the permissions of the storage, then run it again.",
        ) from error
