"""Which snapshots are still kept in the store, and the table that each is a version of."""

from __future__ import annotations

from rag_assets.errors import NoReleaseError
from rag_assets.ledger import Ledger, Release, Snapshot
from rag_assets.ledger.releases import pruned_error
from rag_assets.store import IndexTable, Store


def index_of(store: Store, snapshot: Snapshot) -> IndexTable:
    """The index table that `snapshot` is a version of."""
    return store.vector_index(snapshot.generation, int(snapshot.details["dimension"]))


def is_kept(store: Store, snapshot: Snapshot) -> bool:
    """Whether the rows of `snapshot` can be read, now and for as long as nobody prunes it."""
    return snapshot.unpinned_at is None and index_of(store, snapshot).pinned().get(snapshot.tag) == snapshot.version


def require_kept(store: Store, ledger: Ledger, release: Release) -> Snapshot:
    """The snapshot of `release`. Raises `NoReleaseError` when its rows were pruned or its tables are gone."""
    snapshot = ledger.snapshot(release.snapshot_id)
    assert snapshot is not None, "a foreign key holds every release to its snapshot"
    if snapshot.unpinned_at is not None:
        raise pruned_error(release.release_id, snapshot.unpinned_at)
    if not is_kept(store, snapshot):
        raise NoReleaseError(
            f"The rows of release {release.release_id} are gone: the table {snapshot.table} was removed since.",
            fix="Run: rag-assets ingest --all",
        )
    return snapshot
