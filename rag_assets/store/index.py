"""The table that is searched: its indices, and the versions that are pinned."""

from __future__ import annotations

from typing import Any

from rag_assets.store.table import Table

FULL_TEXT_COLUMNS = ("title", "body")
SCALAR_COLUMNS = ("chunk_id", "source", "document_id")
VECTOR_INDEX_ROWS = 50_000
"""Below this many rows a scan of all vectors takes about 15 ms, and it is exact."""
OPTIMIZE_UNINDEXED_ROWS = 2_000
"""Searches find rows that no index holds yet by scanning them: 9 ms at first, 282 ms at 18,000 such rows."""
OPTIMIZE_FRAGMENTS = 64


class IndexTable(Table):
    """A `Table` with full text and scalar indices, a vector index once it is large, and tags that pin versions."""

    def ensure_indices(self) -> bool:
        """Makes the indices that are missing, and brings rows into them once enough wait. Returns whether it wrote.

        Idempotent: a table that needs nothing gets no new version. Raises `TableLockedError`.
        """
        handle = self.latest()
        if handle is None or not handle.count_rows():
            return False
        with self.lock():
            before = handle.version
            self._create_missing(handle)
            stats = handle.stats()
            fragments = stats["fragment_stats"]["num_small_fragments"]
            if self.unindexed_rows() > OPTIMIZE_UNINDEXED_ROWS or fragments > OPTIMIZE_FRAGMENTS:
                handle.optimize()
            return bool(handle.version != before)

    def _create_missing(self, handle: Any) -> None:
        from lancedb.index import FTS, BTree, IvfRq

        present = {tuple(index.columns) for index in handle.list_indices()}
        for column in SCALAR_COLUMNS:
            if (column,) not in present:
                handle.create_index(column, config=BTree())
        for column in FULL_TEXT_COLUMNS:
            if (column,) not in present:
                handle.create_index(column, config=FTS())
        if ("vector",) not in present and handle.count_rows() > VECTOR_INDEX_ROWS:
            handle.create_index("vector", config=IvfRq(distance_type="cosine"))

    def unindexed_rows(self) -> int:
        """The most rows that any one index does not hold yet."""
        handle = self.latest()
        if handle is None:
            return 0
        stats = (handle.index_stats(index.name) for index in handle.list_indices())
        return max((one.num_unindexed_rows for one in stats if one is not None), default=0)

    def pin(self, version: int, tag: str) -> None:
        """Keeps `version` readable for as long as `tag` is there. Pinning the same again changes nothing."""
        handle = self.latest()
        assert handle is not None, "a version of a table that does not exist cannot be pinned"
        pinned = self.pinned()
        if tag in pinned and pinned[tag] != version:
            handle.tags.update(tag, version)
        elif tag not in pinned:
            handle.tags.create(tag, version)

    def unpin(self, tag: str) -> None:
        """Removes `tag`; its version may then be cleaned up."""
        handle = self.latest()
        if handle is not None and tag in self.pinned():
            handle.tags.delete(tag)

    def pinned(self) -> dict[str, int]:
        """Tag → the version it pins."""
        handle = self.latest()
        return {tag: int(value["version"]) for tag, value in handle.tags.list().items()} if handle is not None else {}
