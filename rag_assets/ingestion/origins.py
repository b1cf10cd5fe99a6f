"""Keeps in the ledger which bytes every stored version of a document was."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from rag_assets.ledger import DocumentVersion, Ledger
from rag_assets.store import Table
from rag_assets.store.sql import in_groups

ORIGIN_COLUMNS = ["document_id", "row_hash", "source", "uri", "content_hash", "parser", "loaded_at"]


def record_origins(rows: pa.Table, ledger: Ledger, run_id: str | None) -> None:
    """Records rows of `raw_documents` as versions that `run_id` stored; a known one keeps its first run and time."""
    ledger.record_document_versions(
        [
            DocumentVersion(
                document_id=row["document_id"],
                document_hash=row["row_hash"],
                source=row["source"],
                uri=row["uri"],
                content_hash=row["content_hash"],
                parser=row["parser"],
                run_id=run_id,
                loaded_at=row["loaded_at"],
            )
            for row in rows.select(ORIGIN_COLUMNS).to_pylist()
        ]
    )


def record_missing_origins(name: str, raw_documents: Table, ledger: Ledger) -> None:
    """Records the stored versions that are not known yet, by an unknown run.

    They were stored by a run that died before it could say so, or by a version of this program that did not keep them.
    """
    stored = raw_documents.rows(columns=["document_id", "row_hash"])
    if not stored.num_rows:
        return
    versions = pc.binary_join_element_wise(stored["document_id"], stored["row_hash"], " ")
    known = pa.chunked_array(
        [pa.array([" ".join(key) for key in keys], pa.string()) for keys in ledger.document_version_batches(name)],
        pa.string(),
    )
    missing = stored["document_id"].filter(pc.invert(pc.is_in(versions, value_set=known))).to_pylist()
    for keys in in_groups(missing):
        record_origins(raw_documents.lookup(keys, ORIGIN_COLUMNS), ledger, None)
