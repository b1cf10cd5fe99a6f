"""The table that is searched: its indices, and the versions that are pinned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from rag_assets.config import RetrievalSettings
from rag_assets.failpoints import failpoint
from rag_assets.store import snapshots
from rag_assets.store.sizes import VECTOR_INDEX_ROWS
from rag_assets.store.table import Place, Table

if TYPE_CHECKING:
    from lancedb.index import FTS
    from lancedb.table import LanceTable

FULL_TEXT_COLUMNS = ("title", "body")
SCALAR_COLUMNS = ("chunk_id", "source", "document_id")
UNINDEXED_ROWS_MAX = 1_000
"""Full text search reads the words of rows that its index does not hold yet: about 12 ms more for every 1,000 of them,
at any size of the table. Bringing them in takes as long as 60 to 100 such searches."""
STEMMERS = {
    "ar": "Arabic",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "hu": "Hungarian",
    "it": "Italian",
    "nl": "Dutch",
    "no": "Norwegian",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sv": "Swedish",
    "ta": "Tamil",
    "tr": "Turkish",
}
"""ISO 639-1 code → LanceDB's stemmer."""


class IndexTable(Table):
    """A `Table` with full text and scalar indices, a vector index once it is large, and tags that pin versions.

    `retrieval` decides how full text search reads the words of all rows: its language, stemming and stop words. Where
    they change, the full text indices are built anew; a pinned version keeps those that it was pinned with.
    """

    def __init__(
        self, place: Place, schema: pa.Schema, *, key: str, state: Sequence[str], retrieval: RetrievalSettings
    ) -> None:
        super().__init__(place, schema, key=key, state=state)
        self.retrieval = retrieval

    def pin(self, version: int, tag: str) -> None:
        """Keeps `version` readable for as long as `tag` is there. Pinning the same again changes nothing.

        Raises `StoreError` when the tag keeps another version, or when there is no such version.
        """
        with self.lock():
            snapshots.pin(snapshots.required(self.latest(), self.name), version, tag)

    def unpin(self, tag: str) -> None:
        """Removes `tag`; its version may then be cleaned up."""
        with self.lock():
            handle = self.latest()
            if handle is not None:
                snapshots.unpin(handle, tag)

    def pinned(self) -> dict[str, int]:
        """Tag → the version it pins."""
        handle = self.latest()
        return snapshots.pinned(handle) if handle is not None else {}

    def _needs_care(self, handle: LanceTable) -> bool:
        """Indices are for what is searched: whoever pins a version asks for them, once for all that was written."""
        return self._is_fragmented(handle)

    def _create_missing(self, handle: LanceTable) -> None:
        from lancedb.index import BTree, IvfRq

        present = {index.columns[0]: index for index in handle.list_indices()}
        for column in SCALAR_COLUMNS:
            if column not in present:
                build_index(handle, column, BTree())
        config = full_text_config(self.retrieval)
        for column in FULL_TEXT_COLUMNS:
            if column not in present or not _is_built_so(present[column].index_details, config):
                build_index(handle, column, config)
        if "vector" not in present and handle.count_rows() >= VECTOR_INDEX_ROWS:
            build_index(handle, "vector", IvfRq(distance_type="cosine"))

    def _unindexed_rows_max(self, handle: LanceTable) -> int:
        return UNINDEXED_ROWS_MAX


def build_index(handle: LanceTable, column: str, config: object) -> None:
    """Makes the index of `column`, or makes it anew."""
    failpoint("store.during_index_build")
    handle.create_index(column, config=config, replace=True)


def full_text_config(retrieval: RetrievalSettings) -> FTS:
    """How text becomes words, by `language`, `stemming` and `stop_words` of `retrieval`.

    A language with a stemmer is cut at spaces and signs, which keeps both halves of "3.11". Any other is cut by the
    dictionaries of ICU, which find words where there are no spaces, and keeps its endings and stop words.
    """
    from lancedb.index import FTS

    if retrieval.language not in STEMMERS:
        return FTS(base_tokenizer="icu", stem=False, remove_stop_words=False)
    return FTS(language=STEMMERS[retrieval.language], stem=retrieval.stemming, remove_stop_words=retrieval.stop_words)


def _is_built_so(details: dict[str, object], config: FTS) -> bool:
    names = ("base_tokenizer", "language", "stem", "remove_stop_words")
    return all(details[name] == getattr(config, name) for name in names)
