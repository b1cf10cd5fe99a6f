"""The documents that are due, loaded, told from those that were only touched, and parsed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from rag_assets import schemas
from rag_assets.documents.connectors import Connector
from rag_assets.documents.model import Loaded
from rag_assets.documents.parsing import may_end_the_process
from rag_assets.documents.rows import Reading, Unread, read_documents
from rag_assets.errors import LoadError, RagAssetsError
from rag_assets.fingerprints import document_id
from rag_assets.ingestion.difference import change_gate
from rag_assets.ingestion.listing import Due, DueDocument
from rag_assets.store import Table
from rag_assets.workers import Died, Task, work

PARCEL_DOCUMENTS = 32
PARCEL_BYTES = 1_000_000


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
    """A few documents (`due`, by uri) on their way through loading and parsing; a `workers.Job`."""

    due: dict[str, DueDocument]
    loaded: list[Loaded] = field(default_factory=list)
    touched: list[Loaded] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    @property
    def documents(self) -> int:
        return len(self.loaded) + len(self.touched) + len(self.failed)

    @property
    def payload(self) -> Any:
        return self.loaded

    def parts(self) -> list[Parcel]:
        """A parcel for each loaded document, and one for the others."""
        rest = [Parcel(self.due, [], self.touched, self.failed)] if self.touched or self.failed else []
        return [*(Parcel(self.due, [one]) for one in self.loaded), *rest]


@dataclass(frozen=True, slots=True)
class Loader:
    """Loads and parses for one source. `salt` stands for the settings that end up in its rows."""

    connector: Connector
    table: Table
    reading: Reading
    salt: str

    def outcomes(self, due: Due) -> Iterator[Outcome]:
        """What became of every due document, a few documents at a time, in any order."""
        task = Task(read_documents, (self.reading,))
        isolated = may_end_the_process(due.columns["uri"])
        for parcel, answer in work(self.parcels(due), task, documents=len(due), isolated=isolated):
            rows, unread = _ended(parcel, answer) if isinstance(answer, Died) else answer
            yield self._outcome(parcel, rows, unread)

    def parcels(self, due: Due) -> Iterator[Parcel]:
        """The due documents loaded, a bounded number of bytes at a time, the touched ones told apart."""
        for group in due.groups(PARCEL_DOCUMENTS):
            by_uri = {item.uri: item for item in group}
            parcel, size = Parcel(by_uri), 0
            for item in group:
                size += self._load_into(parcel, item)
                if size >= PARCEL_BYTES:
                    yield parcel
                    parcel, size = Parcel(by_uri), 0
            if parcel.documents:
                yield parcel

    def _load_into(self, parcel: Parcel, item: DueDocument) -> int:
        """Loads one document; returns its bytes."""
        try:
            loaded = self.load(item.uri)
        except LoadError as error:
            parcel.failed.append(Failed(item.uri, "load", error, item.gate))
            return 0
        touched = item.same_reading and item.content_hash == loaded.content_hash
        (parcel.touched if touched else parcel.loaded).append(replace(loaded, data=b"") if touched else loaded)
        return len(loaded.data)

    def load(self, uri: str) -> Loaded:
        """The bytes of one document as it is now, its fingerprint as the row keeps it. Raises `LoadError`."""
        loaded = self.connector.load(uri)
        return replace(loaded, fingerprint=change_gate(loaded.fingerprint, self.salt))

    def _outcome(self, parcel: Parcel, rows: pa.RecordBatch, unread: Sequence[Unread]) -> Outcome:
        failed = [Failed(one.uri, "parse", one.error, parcel.due[one.uri].gate) for one in unread]
        outcome = Outcome(opened=parcel.documents, failed=[*parcel.failed, *failed])
        for uri, row_hash in zip(rows["uri"].to_pylist(), rows["row_hash"].to_pylist(), strict=True):
            before = parcel.due[uri].row_hash
            outcome.added += before is None
            outcome.changed += before is not None and before != row_hash
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


def _ended(parcel: Parcel, died: Died) -> tuple[pa.RecordBatch, list[Unread]]:
    """The answer for a document that ended the process which read it."""
    error = "{} ended the process that read it ({}). Replace the file, or exclude it from its source."
    unread = [Unread(one.uri, error.format(one.uri, died.how)) for one in parcel.loaded]
    return pa.RecordBatch.from_pylist([], schema=schemas.RAW_DOCUMENTS), unread
