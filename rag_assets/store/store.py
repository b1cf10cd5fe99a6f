"""Where the tables are, and which there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rag_assets import schemas
from rag_assets.errors import StoreError
from rag_assets.store.index import IndexTable
from rag_assets.store.locks import table_lock
from rag_assets.store.table import Table

if TYPE_CHECKING:
    from lancedb.db import DBConnection
    from lancedb.table import LanceTable


class Store:
    """The tables of one project. `uri` is a folder or an object-store URL; locks are always local files."""

    def __init__(self, uri: str, *, lock_dir: Path, lock_timeout_seconds: float = 600.0) -> None:
        self.uri = uri
        self._lock_dir = lock_dir
        self._lock_timeout_seconds = lock_timeout_seconds
        self._connection: DBConnection | None = None

    def raw_documents(self, source: str) -> Table:
        """The parsed documents of one source."""
        return Table(**self._parts(f"raw_documents__{source}", schemas.RAW_DOCUMENTS, "document_id"))

    def chunks(self, source: str) -> Table:
        """The chunks of one source."""
        return Table(**self._parts(f"chunks__{source}", schemas.CHUNKS, "chunk_id"))

    def embeddings(self, space: str, dimension: int) -> Table:
        """The vectors of one embedding space, by the hash of their input; a stored vector is never replaced."""
        schema = schemas.embeddings(dimension)
        return Table(**self._parts(f"embeddings__{space}", schema, "input_hash"), overwrite=False)

    def vector_index(self, generation: str, dimension: int) -> IndexTable:
        """What is searched: the chunks of all sources with their vectors, for one generation."""
        schema = schemas.vector_index(dimension)
        return IndexTable(**self._parts(f"vector_index__{generation}", schema, "chunk_id"))

    def open_at(self, name: str, version: int) -> LanceTable:
        """The table `name` exactly as it was at `version`. Raises `StoreError` when it is gone."""
        handle = self._open(name)
        if handle is None:
            raise StoreError(f"The table {name} does not exist.", fix="Run: rag-assets ingest --all")
        try:
            handle.checkout(version)
        except (ValueError, RuntimeError, OSError) as error:
            raise StoreError(
                f"Version {version} of {name} cannot be read: {error}.", fix="Run: rag-assets ingest --all"
            ) from error
        return handle

    def table_names(self) -> list[str]:
        """The tables there are, sorted."""
        names: list[str] = []
        token: str | None = None
        while True:
            page = self._connect().list_tables(page_token=token)
            names += page.tables
            token = page.page_token
            if not token:
                return sorted(names)

    def drop(self, name: str) -> None:
        """Removes a table and all its versions, once nobody writes it."""
        with table_lock(self._lock_dir, name, self._lock_timeout_seconds):
            self._connect().drop_table(name, ignore_missing=True)

    def _parts(self, name: str, schema: pa.Schema, key: str) -> dict[str, Any]:
        return {
            "open_table": lambda: self._open(name),
            "create_table": lambda reader: self._connect().create_table(name, data=reader, schema=schema),
            "name": name,
            "schema": schema,
            "key": key,
            "lock": lambda: table_lock(self._lock_dir, name, self._lock_timeout_seconds),
        }

    def _open(self, name: str) -> LanceTable | None:
        try:
            return self._connect().open_table(name)
        except (FileNotFoundError, ValueError) as error:
            if "not found" in str(error).lower() or "does not exist" in str(error).lower():
                return None
            raise StoreError(f"The table {name} cannot be opened: {error}.") from error

    def _connect(self) -> DBConnection:
        if self._connection is None:
            import lancedb

            try:
                self._connection = lancedb.connect(self.uri)
            except (OSError, RuntimeError, ValueError) as error:
                raise StoreError(
                    f"The storage {self.uri} cannot be opened: {error}.", fix="Check store.uri and its permissions."
                ) from error
        return self._connection
