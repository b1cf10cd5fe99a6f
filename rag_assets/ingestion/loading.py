"""The documents that are due, loaded, told from those that were only touched, and parsed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from rag_assets import schemas
from rag_assets.documents.connectors import Connector
from rag_assets.documents.model import Loaded
from rag_assets.documents.rows import Reading, Unread, read_documents
from rag_assets.errors import LoadError, RagAssetsError
from rag_assets.fingerprints import document_id
from rag_assets.ingestion.difference import change_gate, same_reading
from rag_assets.ingestion.listing import Due
from rag_assets.store import Table

PARCEL_DOCUMENTS = 32
PARCEL_BYTES = 1_000_000
PREVIOUS_COLUMNS = ["document_id", "fingerprint", "content_hash", "parser", "row_hash"]


@dataclass(frozen=True, slots=True)
class Failed:
    """A document that could not be loaded or parsed (`stage`: "load", "parse"), and why. `gate` is its listed gate."""

    uri: str
    stage: str
    error: RagAssetsError | str
    gate: str


@dataclass(slots=True)
class Outcome:
    """What became of a few documents: rows to write, and those that failed. `changed` counts rows of another hash."""

    opened: int = 0
    added: int = 0
    changed: int = 0
    rows: list[pa.RecordBatch] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A few documents on their way through loading and parsing.

    `gates` are their listed gates by uri, `previous` facts of their stored rows by id.
    """

    gates: dict[str, str]
    previous: dict[str, dict[str, Any]]
    loaded: list[Loaded] = field(default_factory=list)
    touched: list[Loaded] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Loader:
    """Loads and parses for one source. `salt` stands for the settings that end up in its rows."""

    connector: Connector
    table: Table
    reading: Reading
    salt: str

    def outcomes(self, due: Due) -> Iterator[Outcome]:
        """What became of every due document, a few documents at a time."""
        for parcel in self.parcels(due):
            yield self.outcome(parcel, *read_documents(parcel.loaded, self.reading))

    def parcels(self, due: Due) -> Iterator[Parcel]:
        """The due documents loaded, a bounded number of bytes at a time, the touched ones told apart."""
        for group in due.groups(PARCEL_DOCUMENTS):
            gates = {item.uri: item.gate for item in group}
            previous = self._previous([item.uri for item in group if item.known])
            parcel, size = Parcel(gates, previous), 0
            for uri in gates:
                size += self._load_into(parcel, uri)
                if size >= PARCEL_BYTES:
                    yield parcel
                    parcel, size = Parcel(gates, previous), 0
            yield parcel

    def _load_into(self, parcel: Parcel, uri: str) -> int:
        """Loads one document; returns its bytes."""
        try:
            loaded = self.load(uri)
        except LoadError as error:
            parcel.failed.append(Failed(uri, "load", error, parcel.gates[uri]))
            return 0
        row = parcel.previous.get(document_id(self.reading.source, uri))
        untouched = row and row["content_hash"] == loaded.content_hash and same_reading(row, uri, self.salt)
        (parcel.touched if untouched else parcel.loaded).append(loaded)
        return len(loaded.data)

    def load(self, uri: str) -> Loaded:
        """The bytes of one document as it is now, its fingerprint as the row keeps it. Raises `LoadError`."""
        loaded = self.connector.load(uri)
        return replace(loaded, fingerprint=change_gate(loaded.fingerprint, self.salt))

    def _previous(self, uris: Sequence[str]) -> dict[str, dict[str, Any]]:
        if not uris:
            return {}
        keys = [document_id(self.reading.source, uri) for uri in uris]
        return {row["document_id"]: row for row in self.table.lookup(keys, PREVIOUS_COLUMNS).to_pylist()}

    def outcome(self, parcel: Parcel, rows: pa.RecordBatch, unread: Sequence[Unread]) -> Outcome:
        """What became of the documents of `parcel`, of which `rows` were read and the `unread` were not."""
        failed = [Failed(one.uri, "parse", one.error, parcel.gates[one.uri]) for one in unread]
        outcome = Outcome(failed=[*parcel.failed, *failed])
        outcome.opened = len(parcel.loaded) + len(parcel.touched) + len(parcel.failed)
        for key, row_hash in zip(rows["document_id"].to_pylist(), rows["row_hash"].to_pylist(), strict=True):
            before = parcel.previous.get(key)
            outcome.added += before is None
            outcome.changed += before is not None and before["row_hash"] != row_hash
        outcome.rows = [batch for batch in (rows, *self._touched(parcel.touched)) if batch.num_rows]
        return outcome

    def _touched(self, touched: Sequence[Loaded]) -> list[pa.RecordBatch]:
        """The stored rows of documents that were not changed, with their new fingerprints."""
        if not touched:
            return []
        fingerprints = {document_id(self.reading.source, one.uri): one.fingerprint for one in touched}
        rows = self.table.lookup(list(fingerprints), schemas.RAW_DOCUMENTS.names)
        rows = rows.select(schemas.RAW_DOCUMENTS.names).cast(schemas.RAW_DOCUMENTS)
        column = pa.array([fingerprints[key] for key in rows["document_id"].to_pylist()], pa.string())
        at = schemas.RAW_DOCUMENTS.get_field_index("fingerprint")
        return list(rows.set_column(at, schemas.RAW_DOCUMENTS.field(at), column).to_batches())
