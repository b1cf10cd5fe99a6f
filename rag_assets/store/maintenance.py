"""Keeps tables quick to read and no larger than they must be: compaction, and the removal of versions nobody needs.

Every write makes a version that shares unchanged files with the one before. A version can go once it is old enough that
no reader is still on it and it is not needed by a tag.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rag_assets.errors import StoreError
from rag_assets.failpoints import failpoint
from rag_assets.store.snapshots import first_line, pinned

if TYPE_CHECKING:
    from lancedb.table import LanceTable

    from rag_assets.store.store import Store
    from rag_assets.store.table import Table

KEEP_VERSIONS = timedelta(days=7)
"""A reader without a tag, such as a search that is under way, has this long before its version goes."""
PIN_MARGIN = timedelta(hours=1)
OWN_TABLES = ("raw_documents__", "chunks__", "embeddings__", "vector_index__", "golden_questions")
"""How the names of this project's tables begin; a store that others use too may hold more."""


@dataclass(frozen=True, slots=True)
class TableState:
    """How a table is stored. `data_bytes` is what the newest version refers to, older versions not counted."""

    name: str
    rows: int
    version: int
    versions: int
    fragments: int
    data_bytes: int
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
        unindexed_rows=table.unindexed_rows(),
    )


def compact(table: Table, *, keep_versions: timedelta = KEEP_VERSIONS) -> Compaction:
    """Merges fragments, completes the indices and removes versions older than `keep_versions`.

    Versions from the oldest pinned one onwards stay. Raises `TableLockedError`, or `StoreError` when the storage fails.
    """
    with table.lock():
        before = table_state(table)
        handle = table.latest()
        if handle is not None:
            optimize(handle, keep_versions=keep_versions)
        return Compaction(before, table_state(table))


def own_tables(store: Store) -> list[str]:
    """The names of this project's tables, in a store that may hold others."""
    return [name for name in store.table_names() if name.startswith(OWN_TABLES)]


def compact_all(store: Store) -> list[Compaction]:
    """`compact` for every table of the project, one after another, by name."""
    tables = (store.stored(name) for name in own_tables(store))
    return [compact(table) for table in tables if table is not None]


def optimize(handle: LanceTable, *, keep_versions: timedelta = KEEP_VERSIONS) -> None:
    """`compact` for a caller that holds the table's lock."""
    age = max(keep_versions, _age_of_oldest_pin(handle), timedelta(milliseconds=1))
    failpoint("store.during_compaction")
    try:
        handle.optimize(cleanup_older_than=age)
    except (OSError, RuntimeError) as error:
        raise StoreError(
            f"Compacting {handle.name} failed: {first_line(error)}.",
            fix="Check the space and the permissions of the storage, then run it again.",
        ) from error


def _age_of_oldest_pin(handle: LanceTable) -> timedelta:
    """How long ago the oldest pinned version was written, and `PIN_MARGIN` more; 0 without pins.

    LanceDB's clean-up fails as a whole when it meets a tagged version that is older than its limit, and it counts from
    the end of the compaction. The margin keeps the limit before that version however long compaction takes.
    """
    versions = set(pinned(handle).values())
    if not versions:
        return timedelta(0)
    # These are local times without a zone; `astimezone` takes an ambiguous hour for the earlier one, which keeps more.
    times: list[datetime] = [entry["timestamp"] for entry in handle.list_versions() if entry["version"] in versions]
    oldest = min(time.astimezone() for time in times)
    return datetime.now().astimezone() - oldest + PIN_MARGIN
