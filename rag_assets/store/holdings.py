"""Which documents a table version has, so that a long deny-list is not sent along for documents that are not there."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from lancedb.table import Table as LanceTable

SHORT_LIST = 200
"""Up to here a search takes no measurable time longer for its deny-list."""
_held: WeakKeyDictionary[LanceTable, tuple[int, frozenset[str]]] = WeakKeyDictionary()


def denied_here(handle: LanceTable, documents: Collection[str]) -> Collection[str]:
    """Those of `documents` that the version open in `handle` can find; all of them while they are few.

    Every revocation ever made stays on the list until its document comes back, and most are of documents that left the
    index long ago. A condition with 20,000 ids takes 150 ms to read;
    finding out that none of them is here takes one, and 14 ms more for the first search of 30,000 rows.
    """
    if len(documents) <= SHORT_LIST:
        return documents
    return held_documents(handle).intersection(documents)


def held_documents(handle: LanceTable) -> frozenset[str]:
    """The ids of the documents in the version open in `handle`: one scan of a column, remembered with the handle."""
    version = int(handle.version)
    known = _held.get(handle)
    if known is None or known[0] != version:
        column = handle.search().select(["document_id"]).to_arrow()["document_id"]
        known = version, frozenset(column.unique().to_pylist())
        _held[handle] = known
    return known[1]
