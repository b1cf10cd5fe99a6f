"""Which documents the serving release holds."""

from __future__ import annotations

from collections.abc import Sequence

from rag_assets.ledger import Ledger
from rag_assets.releasing.pins import index_of, is_kept
from rag_assets.store import Store
from rag_assets.store.sql import any_of, in_groups


def answering_documents(store: Store, ledger: Ledger, document_ids: Sequence[str]) -> set[str]:
    """Those of `document_ids` of which the serving release has rows, be they revoked or not."""
    serving = ledger.serving()
    snapshot = ledger.snapshot(serving.snapshot_id) if serving else None
    if snapshot is None or not is_kept(store, snapshot):
        return set()
    table = index_of(store, snapshot)
    found: set[str] = set()
    for group in in_groups(document_ids):
        rows = table.rows(columns=["document_id"], where=any_of("document_id", group), version=snapshot.version)
        found.update(rows["document_id"].to_pylist())
    return found
