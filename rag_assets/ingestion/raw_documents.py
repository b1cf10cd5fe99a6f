"""Stage 1: the documents of a source, parsed, as rows.

The cheap gate comes first: a document whose fingerprint (size, times, inode, ETag) and parser are those of its stored
row is not opened, and neither is one that failed just as it is now. Then the content hash: a document that was touched
but not changed only gets its new fingerprint.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from rag_assets import schemas
from rag_assets.config import SourceSettings
from rag_assets.documents.connectors import Connector
from rag_assets.documents.model import Document, Listed
from rag_assets.documents.parsing import parse, parser_for
from rag_assets.errors import DocumentError, ParseError, SourceHeldError
from rag_assets.failpoints import failpoint
from rag_assets.fingerprints import data_version, document_id, fingerprint
from rag_assets.ingestion.difference import change_gate, is_document_due, same_reading, settings_salt, vanished
from rag_assets.ingestion.origins import record_missing_origins, record_origins
from rag_assets.ingestion.quarantine import READING, Quarantine, reading_gate
from rag_assets.ingestion.results import Progress, RawDocumentsResult, no_progress
from rag_assets.ledger import Failure, Ledger
from rag_assets.store import Table

BATCH_DOCUMENTS = 256
BATCH_CHARACTERS = 16_000_000
KEPT_COLUMNS = ["document_id", "uri", "fingerprint", "content_hash", "parser", "row_hash"]


@dataclass(slots=True)
class _Tally:
    added: int = 0
    changed: int = 0
    failed: int = 0
    opened: int = 0
    commits: int = 0
    loaded_uris: set[str] = field(default_factory=set)


def sync_raw_documents(
    name: str,
    source: SourceSettings,
    *,
    connector: Connector,
    table: Table,
    ledger: Ledger,
    run_id: str | None = None,
    progress: Progress = no_progress,
    verify_contents: bool = False,
) -> RawDocumentsResult:
    """Brings the rows of `name` in step with what its connector lists.

    With `verify_contents` every document is opened and hashed, also where its fingerprint says that it did not change.

    Removed documents go on the deny-list and lose their rows before anything is loaded: no search returns them from
    then on, whatever becomes of the rest, and no release takes them for present. Listing, too, is done under the
    table's lock: of two runs at once the second sees what the first stored. The ledger keeps which bytes each version
    of a document was, and that `run_id` brought it.
    Raises `SourceUnavailableError` when the source cannot be listed, and `SourceHeldError` when more of it vanished at
    once than `max_removed_fraction` allows and no person confirmed it; in both cases nothing is changed.
    """
    tally = _Tally()
    with table.lock():
        listed = {item.uri: item for item in connector.list() if parser_for(item.uri) is not None}
        stored = _stored(table)
        removed = [row for uri, row in stored.items() if uri not in listed]
        _hold_when_too_much_vanished(name, source, removed, len(stored), ledger)
        quarantine = Quarantine(name, ledger, READING)
        loader = _Loader(name, source, connector, table, settings_salt(source), stored, tally, quarantine)
        given_up = {uri for uri, item in listed.items() if loader.is_given_up(item)}
        removed += [stored[uri] for uri in sorted(given_up & stored.keys())]
        ledger.deny_documents(
            name, [(row["document_id"], row["uri"]) for row in removed], reason="removed from its source"
        )
        if removed:
            failpoint("raw_documents.between_denied_and_removed")
        tally.commits += table.apply(None, [row["document_id"] for row in removed]).commits
        due = [item for uri, item in listed.items() if uri not in given_up and (verify_contents or loader.is_due(item))]
        for batch in loader.batches(due):
            tally.commits += table.apply(pa.Table.from_pylist(batch, schema=schemas.RAW_DOCUMENTS), []).commits
            failpoint("raw_documents.between_written_and_origins")
            record_origins(batch, ledger, run_id)
            quarantine.flush()
            progress("documents", tally.opened, len(due))
        ledger.release_hold(name)
        failed = quarantine.settle(lambda failure: loader.is_over(failure, listed.get(failure.uri)))
        record_missing_origins(name, table, ledger)
        return _result(
            name, table, tally, removed=len(removed), listed=len(listed), failed=failed, dropped=len(given_up)
        )


def _stored(table: Table) -> dict[str, dict[str, Any]]:
    if not table.exists():
        return {}
    return {row["uri"]: row for row in table.rows(columns=KEPT_COLUMNS).to_pylist()}


def _hold_when_too_much_vanished(
    name: str, source: SourceSettings, removed: Sequence[dict[str, Any]], stored: int, ledger: Ledger
) -> None:
    gone = vanished(source, (row["document_id"] for row in removed), stored)
    if not gone.too_many:
        ledger.release_hold(name)
        return
    hold = ledger.hold_for(name)
    if hold is not None and hold.confirmed and hold.digest == gone.digest:
        return
    ledger.hold(name, reason=gone.reason, removed=gone.removed, listed=stored - gone.removed, digest=gone.digest)
    raise SourceHeldError(
        f"Source {name!r} is held: {gone.reason} (limit: {source.max_removed_fraction:.0%}); nothing was changed.",
        fix=f"Is its folder there and mounted? If the removal is right, run: rag-assets ingest --source {name} "
        "--confirm-removals",
    )


@dataclass(frozen=True, slots=True)
class _Loader:
    """Loads the due documents of one source. `salt` stands for the settings that end up in its rows."""

    name: str
    source: SourceSettings
    connector: Connector
    table: Table
    salt: str
    stored: dict[str, dict[str, Any]]
    tally: _Tally
    quarantine: Quarantine

    def is_due(self, item: Listed) -> bool:
        """Whether to open the document: it is new or changed, or it failed and is tried again."""
        differs = self._differs(item)
        if item.uri not in self.quarantine:
            return differs
        return self.quarantine.is_due(self._id(item.uri), self._reading_gate(item), otherwise=differs)

    def is_given_up(self, item: Listed) -> bool:
        """Whether a person gave up the document as it is listed."""
        if item.uri not in self.quarantine:
            return False
        return self.quarantine.is_given_up(self._id(item.uri), self._reading_gate(item))

    def is_over(self, failure: Failure, item: Listed | None) -> bool:
        """Whether a failure ends, after everything was loaded: of any stage when its document is gone from the source;
        of this one when it was read, or is again what was read before."""
        if item is None:
            return True
        if failure.uri in self.tally.loaded_uris:
            return failure.dropped or failure.stage in READING
        if failure.dropped or failure.stage not in READING:
            return False
        return not self._differs(item) and failure.gate != self._reading_gate(item)

    def _differs(self, item: Listed) -> bool:
        return is_document_due(item, self.stored.get(item.uri), self.salt)

    def _reading_gate(self, item: Listed) -> str:
        return reading_gate(self._gate(item.fingerprint), parser_for(item.uri), self.source)

    def _id(self, uri: str) -> str:
        return document_id(self.name, uri)

    def batches(self, due: Sequence[Listed]) -> Iterator[list[dict[str, Any]]]:
        """Rows in bounded groups. A document that fails is recorded and left out."""
        batch: list[dict[str, Any]] = []
        characters = 0
        for item in due:
            self.tally.opened += 1
            try:
                row = self._row(item)
            except DocumentError as error:
                self.tally.failed += 1
                stage = "parse" if isinstance(error, ParseError) else "load"
                self.quarantine.fail(item.uri, self._id(item.uri), stage, error, self._reading_gate(item))
                continue
            self._count(item.uri, row)
            batch.append(row)
            characters += row["characters"]
            if len(batch) >= BATCH_DOCUMENTS or characters >= BATCH_CHARACTERS:
                yield batch
                batch, characters = [], 0
        if batch:
            yield batch

    def _gate(self, listed_fingerprint: str) -> str:
        return change_gate(listed_fingerprint, self.salt)

    def _count(self, uri: str, row: dict[str, Any]) -> None:
        self.tally.loaded_uris.add(uri)
        previous = self.stored.get(uri)
        if previous is None:
            self.tally.added += 1
        elif previous["row_hash"] != row["row_hash"]:
            self.tally.changed += 1

    def _row(self, item: Listed) -> dict[str, Any]:
        """The row of one document. One that was only touched is not parsed again: its row gets the new fingerprint."""
        loaded = self.connector.load(item.uri)
        previous = self.stored.get(item.uri)
        if previous and previous["content_hash"] == loaded.content_hash and same_reading(previous, item.uri, self.salt):
            row: dict[str, Any] = self.table.lookup([previous["document_id"]], schemas.RAW_DOCUMENTS.names).to_pylist()[
                0
            ]
            return row | {"fingerprint": self._gate(loaded.fingerprint)}
        document = parse(loaded.data, item.uri, language=self.source.language)
        return document_row(
            self.name, self.source, item.uri, document, loaded.content_hash, self._gate(loaded.fingerprint)
        )


def document_row(
    name: str, source: SourceSettings, uri: str, document: Document, content_hash: str, change_gate: str
) -> dict[str, Any]:
    """The row of a parsed document, with all columns of `schemas.RAW_DOCUMENTS`."""
    metadata = json.dumps(document.metadata, sort_keys=True, ensure_ascii=False)
    published = document.published_at.isoformat() if document.published_at else None
    row_hash = fingerprint(
        content=content_hash,
        parser=document.parser,
        title=document.title,
        language=document.language,
        published=published,
        groups=sorted(source.allowed_groups),
        metadata=metadata,
    )
    return {
        "document_id": document_id(name, uri),
        "source": name,
        "uri": uri,
        "title": document.title,
        "media_type": document.media_type,
        "text": document.text,
        "characters": len(document.text),
        "blocks": [
            {
                "kind": block.kind,
                "start": block.start,
                "end": block.end,
                "level": block.level,
                "page": block.page,
                "heading_path": list(block.heading_path),
            }
            for block in document.blocks
        ],
        "content_hash": content_hash,
        "fingerprint": change_gate,
        "parser": document.parser,
        "published_at": document.published_at,
        "language": document.language,
        "allowed_groups": sorted(source.allowed_groups),
        "metadata": metadata,
        "row_hash": row_hash,
        "loaded_at": datetime.now(UTC),
    }


def _result(
    name: str, table: Table, tally: _Tally, *, removed: int, listed: int, failed: int, dropped: int
) -> RawDocumentsResult:
    columns = ["document_id", "row_hash", "characters"]
    rows = (table.rows(columns=columns) if table.exists() else schemas.RAW_DOCUMENTS.empty_table()).select(columns)
    characters = rows["characters"].to_pylist()
    pairs = zip(rows["document_id"].to_pylist(), rows["row_hash"].to_pylist(), strict=True)
    return RawDocumentsResult(
        data_version=data_version(pairs, name),
        rows=rows.num_rows,
        added=tally.added,
        changed=tally.changed,
        removed=removed,
        unchanged=listed - tally.added - tally.changed - failed - dropped,
        failed=failed,
        retried=tally.failed,
        dropped=dropped,
        empty=characters.count(0),
        opened=tally.opened,
        characters=sum(characters),
        commits=tally.commits,
        table_version=table.version(),
    )
