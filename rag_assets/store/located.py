"""Rows of one table version, found once by their keys and then read a group at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rag_assets.store.keys import among, distinct, one_array, rows_of
from rag_assets.store.sql import any_of, in_groups

if TYPE_CHECKING:
    from lancedb.table import LanceTable

LOOKED_UP_SHARE = 0.05
"""Up to this share of a table its keys are looked up; for more, one scan of the key column takes less time."""
SCANNED_ROWS = 65_536


class LocatedRows:
    """Where the rows with certain keys are in the version that `handle` has open, which is this object's own.

    `places` has one entry for each of the keys, which may repeat; null where there is no such row. Places in rising
    order read the table from its beginning to its end.
    """

    def __init__(self, handle: LanceTable, key: str, keys: Any) -> None:
        self._handle = handle
        self._key = key
        asked = distinct(keys)
        few = len(asked) <= handle.count_rows() * LOOKED_UP_SHARE
        found = self._looked_up(asked) if few else self._scanned(asked)
        at = pa.compute.index_in(one_array(keys), value_set=one_array(found[key]))
        self.places: pa.Array = one_array(found["_rowid"]).take(at)

    def read(self, places: pa.Array, columns: Sequence[str]) -> pa.Table:
        """Row n is the one at place n; none of `places` is null, and they may repeat."""
        query = self._handle.take_row_ids(distinct(places).to_pylist()).with_row_id()
        return rows_of(query.select(list(columns)).to_arrow(), "_rowid", places).select(list(columns))

    def _looked_up(self, keys: pa.Array) -> pa.Table:
        found = [self._query(any_of(self._key, group)).to_arrow() for group in in_groups(keys.to_pylist())]
        return pa.concat_tables(found) if found else self._query().limit(0).to_arrow()

    def _scanned(self, keys: pa.Array) -> pa.Table:
        batches = self._query().to_batches(SCANNED_ROWS)
        return pa.Table.from_batches([batch.filter(among(batch.column(self._key), keys)) for batch in batches])

    def _query(self, where: str | None = None) -> Any:
        query = self._handle.search().with_row_id(True).select([self._key])
        return query.where(where) if where else query
