"""Sets of keys as Arrow columns.

A Python set of 100,000 ids takes 15 MB and its list as long to make as the table to read; the column takes 3.6 MB and
nothing. Columns are strings without nulls, of any length, chunked or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

SEPARATOR = "\0"


def keys_of(values: Iterable[str]) -> pa.Array:
    """Python strings as a column."""
    return pa.array(list(values), pa.string())


def one_array(column: Any) -> pa.Array:
    """The column in one piece."""
    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return column


def among(column: Any, keys: Any) -> pa.Array:
    """Per value, whether it is one of `keys`."""
    return one_array(pc.is_in(column, value_set=one_array(keys)))


def only(table: pa.Table, name: str, keys: Any) -> pa.Table:
    """The rows whose `name` is one of `keys`."""
    return table.filter(among(table[name], keys))


def without(table: pa.Table, name: str, keys: Any) -> pa.Table:
    """The rows whose `name` is none of `keys`."""
    return table.filter(pc.invert(among(table[name], keys))) if len(keys) else table


def difference(column: Any, keys: Any) -> pa.Array:
    """The values that are none of `keys`, repeats included."""
    column = one_array(column)
    return column.filter(pc.invert(among(column, keys))) if len(keys) else column


def distinct(column: Any) -> pa.Array:
    """Each value once, in the order of first appearance."""
    return one_array(pc.unique(column))


def repeated(column: Any) -> pa.Array:
    """The values that come more than once, each once."""
    counts = pc.value_counts(one_array(column))
    return counts.field("values").filter(pc.greater(counts.field("counts"), 1))


def has_repeats(column: Any) -> bool:
    """Whether a value comes more than once."""
    return bool(pc.count_distinct(column).as_py() != len(column))


def pairs(*columns: Any) -> pa.Array:
    """Per row its values joined to one key: equal keys, equal rows."""
    return one_array(pc.binary_join_element_wise(*columns, SEPARATOR))


def rows_of(table: pa.Table, name: str, keys: Any) -> pa.Table:
    """The rows with these keys in their order, each of which is there: row n has key n."""
    return table.take(pc.index_in(one_array(keys), value_set=one_array(table[name])))
