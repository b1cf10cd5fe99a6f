"""The connector of a source as a project uses it: what remote sources gave is kept, and read again from there."""

from __future__ import annotations

from rag_assets.config import Settings
from rag_assets.documents.connectors import Connector, is_remote, open_connector
from rag_assets.documents.connectors.originals import Originals, WithOriginals
from rag_assets.fingerprints import document_id
from rag_assets.ingestion.difference import listed_fingerprint
from rag_assets.store import Store


def source_connector(name: str, settings: Settings, store: Store, *, fetch: bool, keep: bool) -> Connector:
    """What lists and loads the documents of source `name`; see `Project.connector`. Raises `UnknownSourceError`."""
    source = settings.source(name)
    connector = open_connector(source, root=settings.root)
    if fetch or not (is_remote(source) and settings.store.keep_originals):
        return connector
    table = store.raw_documents(name)

    def stored(uri: str) -> tuple[str, str] | None:
        rows = table.lookup([document_id(name, uri)], ["fingerprint", "content_hash"]).to_pylist()
        return (listed_fingerprint(rows[0]["fingerprint"]), rows[0]["content_hash"]) if rows else None

    return WithOriginals(connector, originals(settings), stored, keep=keep)


def originals(settings: Settings) -> Originals:
    """The kept bytes of remote documents."""
    return Originals(settings.data_path / "originals")


def collect_originals(settings: Settings, store: Store) -> tuple[int, int]:
    """Removes kept bytes that no stored document is any more; returns how many files and bytes those were."""
    needed: set[str] = set()
    if settings.store.keep_originals:
        for name in store.sources():
            if name in settings.sources:
                for batch in store.raw_documents(name).batches(columns=["content_hash"]):
                    needed.update(batch.column(0).to_pylist())
    return originals(settings).collect(needed)
