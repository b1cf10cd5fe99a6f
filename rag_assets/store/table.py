"""One LanceDB table: reads, and writes as differences that are verified by what is there afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from rag_assets.errors import StoreError, WriteVerificationError
from rag_assets.failpoints import failpoint
from rag_assets.store.maintenance import optimize
from rag_assets.store.snapshots import check_out, first_line
from rag_assets.store.sql import any_of, in_groups

if TYPE_CHECKING:
    from collections.abc import Callable

    from lancedb.table import LanceTable

BATCH_ROWS = 1_024
"""Rows per written batch. Flat search over 100,000 rows takes 27 ms so, and 105 ms when they come in one batch."""
KEY_INDEX_ROWS = 10_000
"""From here on keys are looked up in an index; below, a scan of the key column takes about as long."""
FRAGMENTS_MAX = 64
"""Each write adds a fragment, and each read opens them all: more than these are merged."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table lives: how to open it (None: not there yet), to make it from its first rows, and to lock it."""

    name: str
    open: Callable[[], LanceTable | None]
    create: Callable[[pa.RecordBatchReader], LanceTable]
    lock: Callable[[], AbstractContextManager[None]]


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
        self._written: LanceTable | None = None

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
            list(self.batches(columns, where, version)), schema=self._projected(columns or self.schema.names)
        )

    def batches(
        self, columns: Sequence[str] | None = None, where: str | None = None, version: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The same rows, a bounded number at a time."""
        handle = self._latest() if version is None else self.at(version)
        if handle is None:
            return
        query = handle.search().select(list(columns or self.schema.names))
        yield from (query.where(where) if where else query).to_batches(BATCH_ROWS)

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

    def apply(self, upserts: pa.Table | None, deletes: Sequence[str]) -> WriteResult:
        """Writes the rows of `upserts`, then removes the rows with the keys `deletes`; nothing to do commits nothing.

        Rows that are stored already, and keys that are not there, are nothing to do. Raises `StoreError` for a key that
        comes twice and when the storage fails, `WriteVerificationError` when afterwards the rows are not what they
        should be, and `TableLockedError` when another writer does not finish.
        """
        rows = upserts if upserts is not None and upserts.num_rows else None
        if rows is None and not deletes:
            return WriteResult(0, 0, 0, 0, self.version())
        keys = rows[self.key].to_pylist() if rows is not None else []
        self._check_keys(keys, deletes)
        with self.lock():
            self._written = self._latest()
            before = self.version()
            try:
                inserted, updated = self._upsert(rows, keys) if rows is not None else (0, 0)
                if rows is not None and deletes:
                    failpoint("store.between_upsert_and_delete")
                deleted = self._delete(deletes)
                if inserted and self._needs_care():
                    self.ensure_indices()
            except (OSError, RuntimeError) as error:
                raise StoreError(f"Writing {self.name} failed: {first_line(error)}.", fix=_STORAGE_FIX) from error
            finally:
                self._written = None
            after = self.version()
        return WriteResult(inserted, updated, deleted, after - before, after)

    def _check_keys(self, keys: Sequence[str], deletes: Sequence[str]) -> None:
        fix = "This is a fault of the program that writes: each key must come once."
        if len(set(keys)) != len(keys):
            raise StoreError(f"{self.name}: the rows to write repeat a key.", fix=fix)
        if not set(keys).isdisjoint(deletes):
            raise StoreError(f"{self.name}: a key is to be written and removed at once.", fix=fix)

    def _upsert(self, rows: pa.Table, keys: Sequence[str]) -> tuple[int, int]:
        """Writes new and changed rows in one commit; returns how many of each. The caller holds the lock."""
        rows = rows.select(self.schema.names).cast(self.schema)
        wanted = dict(zip(keys, self._states(rows), strict=True))
        stored = self._stored_states(keys)
        times, states = Counter(key for key, _ in stored), dict(stored)
        # LanceDB's merge would keep both rows of a key that a writer without this lock put there twice.
        repeated = [key for key, count in times.items() if count > 1]
        if self._delete(repeated):
            states = {key: state for key, state in states.items() if times[key] == 1}
        due = [key not in states or states[key] != state for key, state in wanted.items()]
        if not any(due):
            return 0, 0
        rows = rows.filter(pa.array(due))
        written = {key: wanted[key] for key in rows[self.key].to_pylist()}
        updated = len(written.keys() & states.keys())
        before = self.count()
        self._write(pa.RecordBatchReader.from_batches(self.schema, rows.to_batches(BATCH_ROWS)), merge=updated > 0)
        self._verify(written, expected_rows=before + len(written) - updated)
        return len(written) - updated, updated

    def _write(self, reader: pa.RecordBatchReader, *, merge: bool) -> None:
        handle = self._latest()
        if handle is None:
            self._written = self._place.create(reader)
        elif merge:
            handle.merge_insert(self.key).when_matched_update_all().when_not_matched_insert_all().execute(reader)
        else:  # only new keys, which the lock keeps new: appending spares the join
            handle.add(reader)

    def _states(self, rows: pa.Table) -> list[tuple[object, ...]]:
        columns = [rows[name].to_pylist() for name in self._state]
        return list(zip(*columns, strict=True)) if columns else [()] * rows.num_rows

    def _stored_states(self, keys: Sequence[str]) -> list[tuple[str, tuple[object, ...]]]:
        found = self.lookup(keys, [self.key, *self._state])
        return list(zip(found[self.key].to_pylist(), self._states(found), strict=True))

    def _verify(self, written: dict[str, tuple[object, ...]], *, expected_rows: int) -> None:
        """By what is stored, not by what the merge reports: with a scalar index it was seen to report 0 updates."""
        found = self.count()
        if found != expected_rows:
            raise WriteVerificationError(
                f"{self.name} has {found:,} rows after a write that should give {expected_rows:,}.", fix=_STORAGE_FIX
            )
        stored = self._stored_states(list(written))
        if len(stored) != len(written) or dict(stored) != written:
            right = sum(1 for key, state in stored if written[key] == state)
            raise WriteVerificationError(
                f"{self.name} holds {right:,} of {len(written):,} rows that were just written.", fix=_STORAGE_FIX
            )

    def _delete(self, keys: Sequence[str]) -> int:
        handle = self._latest()
        if handle is None or not keys:
            return 0
        before = self.count()
        present = self.lookup(keys, [self.key])[self.key].to_pylist()
        distinct = sorted(set(present))
        for group in in_groups(distinct):
            handle.delete(any_of(self.key, group))
        found = self.count()
        if found != before - len(present):
            raise WriteVerificationError(
                f"{self.name} has {found:,} rows after {len(present):,} of {before:,} were removed.", fix=_STORAGE_FIX
            )
        return len(distinct)

    def ensure_indices(self) -> bool:
        """Makes the indices that are missing, and merges what has piled up. Returns whether it wrote.

        Idempotent: a table that needs nothing gets no new version. Raises `TableLockedError`.
        """
        if not self.count():
            return False
        with self.lock():
            handle = self._latest()
            assert handle is not None
            before = handle.version
            self._create_missing(handle)
            if self._is_fragmented(handle) or self.unindexed_rows() > self._unindexed_rows_max(handle):
                optimize(handle)
            return bool(handle.version != before)

    def unindexed_rows(self) -> int:
        """The most rows that any one index does not hold yet: reads find them by scanning."""
        handle = self._latest()
        if handle is None:
            return 0
        stats = (handle.index_stats(index.name) for index in handle.list_indices())
        return max((one.num_unindexed_rows for one in stats if one is not None), default=0)

    def _needs_care(self) -> bool:
        handle = self._latest()
        return handle is not None and (self._is_fragmented(handle) or self._lacks_key_index(handle))

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
        """A handle of its own that reads exactly `version`. Raises `StoreError` when that version is gone."""
        return check_out(self._place.open(), self.name, version)

    def latest(self) -> LanceTable | None:
        """The raw table at its newest version, None when it does not exist."""
        return self._latest()

    def _latest(self) -> LanceTable | None:
        if self._written is not None:
            self._written.checkout_latest()
            return self._written
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


_STORAGE_FIX = "Check the space and the permissions of the storage, then run it again: it goes on where it stopped."
