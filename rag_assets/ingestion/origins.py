"""Keeps in the ledger which bytes every stored version of a document was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rag_assets.ledger import DocumentVersion, Ledger
from rag_assets.store import Table

ORIGIN_COLUMNS = ["document_id", "row_hash", "source", "uri", "content_hash", "parser", "loaded_at"]


def record_origins(rows: Iterable[Mapping[str, Any]], ledger: Ledger, run_id: str | None) -> None:
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
            for row in rows
        ]
    )


def record_missing_origins(name: str, raw_documents: Table, ledger: Ledger) -> None:
    """Records the stored versions that are not known yet, by an unknown run.

    They were stored by a run that died before it could say so, or by a version of this program that did not keep them.
    """
    if not raw_documents.exists():
        return
    stored = raw_documents.rows(columns=["document_id", "row_hash"])
    pairs = set(zip(stored["document_id"].to_pylist(), stored["row_hash"].to_pylist(), strict=True))
    missing = pairs - ledger.document_version_keys(name)
    if missing:
        keys = sorted(document for document, _ in missing)
        record_origins(raw_documents.lookup(keys, ORIGIN_COLUMNS).to_pylist(), ledger, None)
