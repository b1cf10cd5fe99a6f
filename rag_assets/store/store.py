"""Where the tables are, and which there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from rag_assets import schemas
from rag_assets.config import RetrievalSettings
from rag_assets.errors import StoreError
from rag_assets.store.driver import lancedb_module
from rag_assets.store.index import IndexTable
from rag_assets.store.locks import table_lock
from rag_assets.store.readers import Readers
from rag_assets.store.snapshots import check_out, require_pinned
from rag_assets.store.table import Place, Table

if TYPE_CHECKING:
    from lancedb.db import DBConnection
    from lancedb.table import LanceTable

OPEN_VERSIONS = 4
RAW_DOCUMENTS_PREFIX = "raw_documents__"
TRAINING_EXAMPLES_PREFIX = "training_examples__"


class Store:
    """The tables of one project. `uri` is a folder or an object-store URL; locks are always local files.

    On several machines the tables of one source are kept apart by Dagster's limit of one run per source; the tables
    that sources share (embeddings, vector index) need a limit of one writer too, or a lock folder that all machines
    share and whose file system has locks.
    """

    def __init__(self, uri: str, *, lock_dir: Path, lock_timeout_seconds: float = 600.0) -> None:
        self.uri = uri
        self._lock_dir = lock_dir
        self._lock_timeout_seconds = lock_timeout_seconds
        self._connection: DBConnection | None = None
        self._opened: dict[tuple[str, int], LanceTable] = {}
        self._readers = Readers(lock_dir / "readers")

    def raw_documents(self, source: str) -> Table:
        """The parsed documents of one source. A touched file changes `fingerprint` alone."""
        place = self._place(f"{RAW_DOCUMENTS_PREFIX}{source}", schemas.RAW_DOCUMENTS)
        return Table(place, schemas.RAW_DOCUMENTS, key="document_id", state=("row_hash", "fingerprint"))

    def chunks(self, source: str) -> Table:
        """The chunks of one source."""
        place = self._place(f"chunks__{source}", schemas.CHUNKS)
        return Table(place, schemas.CHUNKS, key="chunk_id", state=("row_hash",))

    def embeddings(self, space: str, dimension: int) -> Table:
        """The vectors of one embedding space, by the hash of their input; a stored vector is never replaced."""
        schema = schemas.embeddings(dimension)
        return Table(self._place(f"embeddings__{space}", schema), schema, key="input_hash", state=())

    def vector_index(
        self, generation: str, dimension: int, *, retrieval: RetrievalSettings | None = None
    ) -> IndexTable:
        """What is searched: the chunks of all sources with their vectors, for one generation.

        `retrieval` (default: the default settings) says how the words of full text search are read.
        """
        schema = schemas.vector_index(dimension)
        place = self._place(f"vector_index__{generation}", schema)
        return IndexTable(
            place, schema, key="chunk_id", state=("row_hash",), retrieval=retrieval or RetrievalSettings()
        )

    def golden_questions(self) -> Table:
        """The labelled questions that releases are measured with, of all files together."""
        schema = schemas.GOLDEN_QUESTIONS
        return Table(self._place("golden_questions", schema), schema, key="question_id", state=("row_hash",))

    def training_examples(self, example_set: str) -> Table:
        """The examples of one set. One that only stands elsewhere now changes `origin` alone."""
        schema = schemas.TRAINING_EXAMPLES
        place = self._place(f"{TRAINING_EXAMPLES_PREFIX}{example_set}", schema)
        return Table(place, schema, key="example_id", state=("row_hash", "origin"))

    def example_sets(self) -> list[str]:
        """The sets that examples are stored of, configured or not, sorted."""
        return self._named(TRAINING_EXAMPLES_PREFIX)

    def stored(self, name: str) -> Table | None:
        """The table `name` in the shape it is stored in: for upkeep, not for writing. None when it does not exist."""
        handle = self._open(name)
        if handle is None:
            return None
        return Table(self._place(name, handle.schema), handle.schema, key=handle.schema.names[0], state=())

    def open_at(self, name: str, version: int, *, tag: str | None = None) -> LanceTable:
        """The table `name` exactly as it was at `version`, read-only. Raises `StoreError` when it is gone.

        That version stays for as long as the handle lives, whatever is pruned and cleaned up meanwhile. With `tag` it
        must keep that version now: who lets go of a version removes the tag first and looks for readers then, so a
        reader is either refused here or seen there. The handles of the last few versions are kept, so that a server
        does not open one for every question.
        """
        handle = self._opened.pop((name, version), None)
        if handle is None:
            handle = check_out(self._open(name), name, version)
            self._readers.hold(handle, name, version)
            if tag is not None:
                require_pinned(handle, version, tag)
        self._opened[name, version] = handle
        for oldest in list(self._opened)[:-OPEN_VERSIONS]:
            self._opened.pop(oldest, None)
        return handle

    def versions_read(self, name: str) -> frozenset[int]:
        """The versions of the table `name` that readers on this machine have open."""
        return self._readers.versions(name)

    def sources(self) -> list[str]:
        """The sources that documents are stored of, configured or not, sorted."""
        return self._named(RAW_DOCUMENTS_PREFIX)

    def _named(self, prefix: str) -> list[str]:
        return sorted(name.removeprefix(prefix) for name in self.table_names() if name.startswith(prefix))

    def table_names(self) -> list[str]:
        """The tables there are, sorted. Raises `StoreError` when they cannot be listed."""
        names: list[str] = []
        token: str | None = None
        while True:
            try:
                page = self._connect().list_tables(page_token=token)
            except (OSError, RuntimeError, ValueError) as error:
                said = str(error).partition("\n")[0]
                raise StoreError(
                    f"The tables in {self.uri} cannot be listed: {said}.", fix="Check store.uri and its permissions."
                ) from error
            names += page.tables
            token = page.page_token
            if not token:
                return sorted(names)

    def drop(self, name: str) -> None:
        """Removes a table and all its versions, once nobody writes it."""
        with table_lock(self._lock_dir, name, self._lock_timeout_seconds):
            self._connect().drop_table(name, ignore_missing=True)
            self._opened = {at: handle for at, handle in self._opened.items() if at[0] != name}

    def _place(self, name: str, schema: pa.Schema) -> Place:
        return Place(
            name,
            open=lambda: self._open(name),
            create=lambda reader: self._connect().create_table(name, data=reader, schema=schema),
            lock=lambda: table_lock(self._lock_dir, name, self._lock_timeout_seconds),
            readers=self._readers,
        )

    def _open(self, name: str) -> LanceTable | None:
        try:
            return self._connect().open_table(name)
        except (FileNotFoundError, ValueError) as error:
            if "not found" in str(error).lower() or "does not exist" in str(error).lower():
                return None
            raise StoreError(f"The table {name} cannot be opened: {error}.") from error

    def _connect(self) -> DBConnection:
        if self._connection is None:
            try:
                self._connection = lancedb_module().connect(self.uri)
            except (OSError, RuntimeError, ValueError) as error:
                raise StoreError(
                    f"The storage {self.uri} cannot be opened: {error}.", fix="Check store.uri and its permissions."
                ) from error
        return self._connection
