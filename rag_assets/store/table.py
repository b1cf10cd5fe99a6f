"""One LanceDB table: reads, and writes as differences that are verified by what is there afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from rag_assets.errors import StoreError
from rag_assets.failpoints import failpoint
from rag_assets.store.keys import among, distinct, has_repeats, keys_of, only, repeated, without
from rag_assets.store.located import LocatedRows
from rag_assets.store.maintenance import optimize
from rag_assets.store.readers import Readers
from rag_assets.store.snapshots import check_out, first_line
from rag_assets.store.sql import any_of, in_groups
from rag_assets.store.writing import STORAGE_FIX, Writer

if TYPE_CHECKING:
    from lancedb.table import LanceTable

READ_ROWS = 1_024
"""Rows per batch that is read one at a time."""
COLUMN_ROWS = 65_536
"""Rows per batch when all rows of a few short columns are wanted: a twelfth of the time that batches of 1,024 take."""
KEY_INDEX_ROWS = 10_000
"""From here on keys are looked up in an index; below, a scan of the key column takes about as long."""
FRAGMENTS_MAX = 64
"""Each write adds a fragment, and each read opens them all: more than these are merged."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table lives: how to open it (None: not there yet), to make it from its first rows, and to lock it.

    `readers` knows which versions are being read; without it nobody is known to read.
    """

    name: str
    open: Callable[[], LanceTable | None]
    create: Callable[[pa.RecordBatchReader], LanceTable]
    lock: Callable[[], AbstractContextManager[None]]
    readers: Readers | None = None


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a write changed. `commits` counts the table versions it made; `version` is the newest one."""

    inserted: int
    updated: int
    deleted: int
    commits: int
    version: int


class Table:
    """A table with a key column, created by its first write.

    `state` names the columns that tell whether a row changed: a row that is there with the same key and state is left
    alone. Without state columns a row is written once and never again. One thread uses one `Table`.
    """

    def __init__(self, place: Place, schema: pa.Schema, *, key: str, state: Sequence[str]) -> None:
        self.name = place.name
        self.schema = schema
        self.key = key
        self.lock = place.lock
        self._place = place
        self._state = tuple(state)

    def exists(self) -> bool:
        """Whether anything was ever written."""
        return self._latest() is not None

    def version(self) -> int:
        """The newest version; 0 when the table does not exist."""
        handle = self._latest()
        return int(handle.version) if handle is not None else 0

    def count(self, where: str | None = None) -> int:
        """How many rows there are."""
        handle = self._latest()
        return int(handle.count_rows(where)) if handle is not None else 0

    def rows(
        self, columns: Sequence[str] | None = None, where: str | None = None, version: int | None = None
    ) -> pa.Table:
        """Rows as Arrow, at the newest version or at `version`; an empty table when nothing was ever written."""
        return pa.Table.from_batches(
            list(self.batches(columns, where, version, batch_rows=COLUMN_ROWS)),
            schema=self._projected(columns or self.schema.names),
        )

    def batches(
        self,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        version: int | None = None,
        *,
        batch_rows: int = READ_ROWS,
    ) -> Iterator[pa.RecordBatch]:
        """The same rows, at most `batch_rows` at a time."""
        handle = self._latest() if version is None else self.at(version)
        if handle is None:
            return
        query = handle.search().select(list(columns or self.schema.names))
        yield from (query.where(where) if where else query).to_batches(batch_rows)

    def head(self, limit: int, columns: Sequence[str]) -> pa.Table:
        """The first `limit` rows."""
        handle = self._latest()
        if handle is None:
            return self._projected(columns).empty_table()
        return handle.search().select(list(columns)).limit(limit).to_arrow()

    def lookup(self, keys: Sequence[str], columns: Sequence[str]) -> pa.Table:
        """The rows with these keys; keys that are not there are left out."""
        found = [self.rows(columns, any_of(self.key, group)) for group in in_groups(keys)]
        return pa.concat_tables(found) if found else self._projected(columns).empty_table()

    def locate(self, keys: pa.Array) -> LocatedRows | None:
        """The rows with these keys at the newest version, to be read in groups; None when nothing was ever written."""
        handle = self._latest()
        return LocatedRows(handle, self.key, keys) if handle is not None else None

    def apply(self, upserts: pa.Table | None, deletes: Sequence[str]) -> WriteResult:
        """Writes the rows of `upserts`, then removes the rows with the keys `deletes`; nothing to do commits nothing.

        Rows that are stored already, and keys that are not there, are nothing to do. Raises `StoreError` for a key that
        comes twice and when the storage fails, `WriteVerificationError` when afterwards the rows are not what they
        should be, and `TableLockedError` when another writer does not finish.
        """
        rows = upserts.select(self.schema.names).cast(self.schema) if upserts is not None else None
        gone = keys_of(deletes)
        self._check_keys(rows, gone)

        def write(writer: Writer) -> tuple[int, int, int]:
            inserted, updated = self._upsert(rows, writer) if rows is not None and rows.num_rows else (0, 0)
            if inserted + updated and len(gone):
                failpoint("store.between_upsert_and_delete")
            present = writer.lookup(gone)[self.key] if len(gone) else gone
            return inserted, updated, writer.delete_all(distinct(present), rows=len(present))

        return self._writing(write) if (rows is not None and rows.num_rows) or len(gone) else self._nothing_written()

    def append(self, batches: Iterable[pa.RecordBatch]) -> WriteResult:
        """Writes rows as they come, in bounded memory, whose keys are not in the table and come once.

        The caller holds the lock and has seen that they are new. Raises as `apply` does.
        """
        return self._writing(lambda writer: (writer.append(batches), 0, 0))

    def replace(self, rows: pa.Table, stored: pa.Table, deletes: pa.Array) -> WriteResult:
        """`apply` for a caller that holds the lock and has just read what is stored.

        `stored`: key and state columns of the rows whose keys are in `rows`, each key once; `deletes`: keys that are
        there once. Raises as `apply` does.
        """
        rows = rows.select(self.schema.names).cast(self.schema)

        def write(writer: Writer) -> tuple[int, int, int]:
            inserted, updated = writer.upsert(rows, stored) if rows.num_rows else (0, 0)
            if inserted + updated and len(deletes):
                failpoint("store.between_upsert_and_delete")
            return inserted, updated, writer.delete(deletes)

        return self._writing(write) if rows.num_rows or len(deletes) else self._nothing_written()

    def _nothing_written(self) -> WriteResult:
        return WriteResult(0, 0, 0, 0, self.version())

    def _writing(self, write: Callable[[Writer], tuple[int, int, int]]) -> WriteResult:
        """What `write` did (rows inserted, updated and deleted), under the lock."""
        with self.lock():
            handle = self._latest()
            before = int(handle.version) if handle is not None else 0
            writer = Writer(self.name, self.schema, handle, self._place.create, key=self.key, state=self._state)
            try:
                inserted, updated, deleted = write(writer)
                if inserted and writer.handle is not None and self._needs_care(writer.handle):
                    self._take_care(writer.handle)
            except (OSError, RuntimeError) as error:
                raise StoreError(f"Writing {self.name} failed: {first_line(error)}.", fix=STORAGE_FIX) from error
            after = int(writer.handle.version) if writer.handle is not None else 0
        return WriteResult(inserted, updated, deleted, after - before, after)

    def _check_keys(self, rows: pa.Table | None, deletes: pa.Array) -> None:
        fix = "This is a fault of the program that writes: each key must come once."
        if rows is None:
            return
        if has_repeats(rows[self.key]):
            raise StoreError(f"{self.name}: the rows to write repeat a key.", fix=fix)
        if len(deletes) and bool(pa.compute.any(among(rows[self.key], deletes)).as_py()):
            raise StoreError(f"{self.name}: a key is to be written and removed at once.", fix=fix)

    def _upsert(self, rows: pa.Table, writer: Writer) -> tuple[int, int]:
        stored = writer.lookup(rows[self.key])
        # LanceDB's merge would keep both rows of a key that a writer without this lock put there twice.
        twice = repeated(stored[self.key])
        if len(twice):
            doubled = only(stored, self.key, twice)
            writer.delete_all(twice, rows=doubled.num_rows)
            stored = without(stored, self.key, twice)
        return writer.upsert(rows, stored)

    def ensure_indices(self) -> bool:
        """Makes the indices that are missing, and merges what has piled up. Returns whether it wrote.

        Idempotent: a table that needs nothing gets no new version. Raises `TableLockedError`.
        """
        if not self.count():
            return False
        with self.lock():
            handle = self._latest()
            assert handle is not None
            return self._take_care(handle)

    def _take_care(self, handle: LanceTable) -> bool:
        before = handle.version
        self._create_missing(handle)
        if self._is_fragmented(handle) or _unindexed_rows(handle) > self._unindexed_rows_max(handle):
            optimize(handle, read=self.versions_read())
        return bool(handle.version != before)

    def unindexed_rows(self) -> int:
        """The most rows that any one index does not hold yet: reads find them by scanning."""
        handle = self._latest()
        return _unindexed_rows(handle) if handle is not None else 0

    def _needs_care(self, handle: LanceTable) -> bool:
        return self._is_fragmented(handle) or self._lacks_key_index(handle)

    def _is_fragmented(self, handle: LanceTable) -> bool:
        return bool(handle.stats()["fragment_stats"]["num_small_fragments"] > FRAGMENTS_MAX)

    def _lacks_key_index(self, handle: LanceTable) -> bool:
        return bool(handle.count_rows() >= KEY_INDEX_ROWS and not list(handle.list_indices()))

    def _create_missing(self, handle: LanceTable) -> None:
        if self._lacks_key_index(handle):
            from lancedb.index import BTree

            failpoint("store.during_index_build")
            handle.create_index(self.key, config=BTree())

    def _unindexed_rows_max(self, handle: LanceTable) -> int:
        """A key index may lag by a fifth of the table: rows it lacks cost a scan of one short column."""
        return max(KEY_INDEX_ROWS, int(handle.count_rows()) // 5)

    def at(self, version: int) -> LanceTable:
        """A handle of its own that reads exactly `version`, which stays for as long as the handle lives.

        Raises `StoreError` when that version is gone.
        """
        handle = check_out(self._place.open(), self.name, version)
        if self._place.readers is not None:
            self._place.readers.hold(handle, self.name, version)
        return handle

    def versions_read(self) -> frozenset[int]:
        """The versions that readers on this machine have open."""
        return self._place.readers.versions(self.name) if self._place.readers is not None else frozenset()

    def latest(self) -> LanceTable | None:
        """The raw table at its newest version, None when it does not exist."""
        return self._latest()

    def _latest(self) -> LanceTable | None:
        # Opened anew, because a handle of a table that was dropped and made again goes on reading the old one.
        handle = self._place.open()
        if handle is not None:
            self._check_schema(handle)
        return handle

    def _check_schema(self, handle: LanceTable) -> None:
        stored = {field.name: field.type for field in handle.schema}
        wanted = {field.name: field.type for field in self.schema}
        if stored != wanted:
            differing = sorted(name for name in stored.keys() | wanted.keys() if stored.get(name) != wanted.get(name))
            raise StoreError(
                f"The table {self.name} was written by another version: {', '.join(differing)} differ.",
                fix="Run: rag-assets reset --yes && rag-assets ingest --all",
            )

    def _projected(self, columns: Sequence[str]) -> pa.Schema:
        return pa.schema([self.schema.field(name) for name in columns])


def _unindexed_rows(handle: LanceTable) -> int:
    stats = (handle.index_stats(index.name) for index in handle.list_indices())
    return max((one.num_unindexed_rows for one in stats if one is not None), default=0)
