"""What the kept versions of the indices hold, so that nothing is kept for documents that are in none of them.

The newest version of a table counts as kept: what is in it would be in the next snapshot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np
import pyarrow as pa

from rag_assets.ledger import Denials, Ledger
from rag_assets.store import IndexTable, Store
from rag_assets.store.keys import SEPARATOR, among, keys_of, pairs
from rag_assets.store.table import COLUMN_ROWS


def unneeded_denials(tables: Iterable[IndexTable], ledger: Ledger, *, without: Collection[str] = ()) -> Denials:
    """What is denied and in no kept version; `without` are tags that count as gone.

    Stops reading as soon as everything that is denied was found, and reads nothing while nothing is denied. A document
    that comes back, is released and is removed again meanwhile is denied anew: `withdraw` then leaves it on the list.
    """
    denied = ledger.denials()
    documents, sources = set(denied.documents), set(denied.sources)
    if documents or sources:
        for batch in _batches(tables, ["document_id", "source"], without):
            documents.difference_update(_those_in(documents, batch.column("document_id")))
            sources.difference_update(_those_in(sources, batch.column("source")))
            if not documents and not sources:
                break
    return Denials(
        {key: since for key, since in denied.documents.items() if key in documents},
        {key: since for key, since in denied.sources.items() if key in sources},
    )


def unheld_versions(
    store: Store, tables: Iterable[IndexTable], ledger: Ledger, *, without: Collection[str] = ()
) -> set[tuple[str, str]]:
    """(document_id, document_hash) that the ledger knows and neither a kept version nor a stored document is.

    The ledger is read first: what is stored and recorded meanwhile is not among them.
    """
    known = sorted(ledger.document_version_keys())
    keys = keys_of(SEPARATOR.join(pair) for pair in known)
    held = np.zeros(len(known), bool)
    for batch in _batches(tables, ["document_id", "document_hash"], without):
        held |= _held(keys, batch)
    for name in store.sources():
        for batch in store.raw_documents(name).batches(["document_id", "row_hash"], batch_rows=COLUMN_ROWS):
            held |= _held(keys, batch)
    return {pair for pair, kept in zip(known, held.tolist(), strict=True) if not kept}


def _held(keys: pa.Array, batch: pa.RecordBatch) -> np.ndarray:
    found: np.ndarray = among(keys, pairs(*batch.columns)).to_numpy(zero_copy_only=False)
    return found


def _those_in(values: set[str], column: pa.Array) -> list[str]:
    asked = keys_of(values)
    return list(asked.filter(among(asked, column)).to_pylist())


def _batches(tables: Iterable[IndexTable], columns: list[str], without: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The rows of every kept version, newest versions first."""
    for table in tables:
        if not table.exists():
            continue
        kept = {version for tag, version in table.pinned().items() if tag not in without}
        for version in sorted(kept | {table.version()}, reverse=True):
            yield from table.batches(columns, version=version, batch_rows=COLUMN_ROWS)
