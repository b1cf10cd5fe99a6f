"""What the kept versions of the indices hold, so that nothing is kept for documents that are in none of them.

The newest version of a table counts as kept: what is in it would be in the next snapshot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import pyarrow as pa

from rag_assets.ledger import Denials, Ledger
from rag_assets.store import IndexTable, Store

RAW_DOCUMENTS_PREFIX = "raw_documents__"


def unneeded_denials(tables: Iterable[IndexTable], ledger: Ledger, *, without: Collection[str] = ()) -> Denials:
    """What is denied and in no kept version; `without` are tags that count as gone.

    Stops reading as soon as everything that is denied was found, and reads nothing while nothing is denied. A document
    that comes back, is released and is removed again meanwhile is denied anew: `withdraw` then leaves it on the list.
    """
    denied = ledger.denials()
    documents, sources = set(denied.documents), set(denied.sources)
    if documents or sources:
        for batch in _batches(tables, ["document_id", "source"], without):
            documents.difference_update(batch.column("document_id").unique().to_pylist())
            sources.difference_update(batch.column("source").unique().to_pylist())
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
    known = ledger.document_version_keys()
    for batch in _batches(tables, ["document_id", "document_hash"], without):
        known.difference_update(_pairs(batch, "document_hash"))
    for name in store.table_names():
        if name.startswith(RAW_DOCUMENTS_PREFIX):
            documents = store.raw_documents(name.removeprefix(RAW_DOCUMENTS_PREFIX))
            for batch in documents.batches(["document_id", "row_hash"]):
                known.difference_update(_pairs(batch, "row_hash"))
    return known


def _pairs(batch: pa.RecordBatch, column: str) -> set[tuple[str, str]]:
    return set(zip(batch.column("document_id").to_pylist(), batch.column(column).to_pylist(), strict=True))


def _batches(tables: Iterable[IndexTable], columns: list[str], without: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The rows of every kept version, newest versions first."""
    for table in tables:
        if not table.exists():
            continue
        kept = {version for tag, version in table.pinned().items() if tag not in without}
        for version in sorted(kept | {table.version()}, reverse=True):
            yield from table.batches(columns, version=version)
