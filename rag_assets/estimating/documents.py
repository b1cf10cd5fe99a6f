"""The first stage of a run, without its writes: which documents of a source it would open, drop or leave alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rag_assets.config import SourceSettings
from rag_assets.documents.connectors import Connector
from rag_assets.documents.connectors.files import size_in
from rag_assets.documents.model import Listed
from rag_assets.documents.parsing import parse, parser_for
from rag_assets.documents.rows import Reading, document_row
from rag_assets.errors import DocumentError
from rag_assets.fingerprints import document_id
from rag_assets.ingestion.difference import change_gate, is_document_due, same_reading, settings_salt, vanished
from rag_assets.ingestion.quarantine import READING, Quarantine, reading_gate
from rag_assets.ledger import Ledger
from rag_assets.store import Table

STORED_COLUMNS = ["document_id", "uri", "fingerprint", "content_hash", "parser", "row_hash", "characters"]
Row = dict[str, Any]


@dataclass(slots=True)
class DocumentsPlan:
    """What a run would find. `due` must be opened to know more; `settled` are stored documents that stay as they are.

    `removed` and `settled` are rows with `STORED_COLUMNS`; with `held` nothing of the source would be touched at all.
    `waiting` are uris of documents that failed as they are and would not be tried again; what is stored of them stays.
    """

    due: list[Listed] = field(default_factory=list)
    settled: list[Row] = field(default_factory=list)
    removed: list[Row] = field(default_factory=list)
    stored: dict[str, Row] = field(default_factory=dict)
    waiting: frozenset[str] = frozenset()
    held: str | None = None

    def size_of(self, item: Listed) -> int:
        """Bytes where the listing tells; else the stored characters, or 1 for want of anything better."""
        known = self.stored.get(item.uri)
        return size_in(item.fingerprint) or (known["characters"] if known else 0) or 1


def stored_rows(table: Table) -> dict[str, Row]:
    """Uri → row of a stored document."""
    if not table.exists():
        return {}
    return {row["uri"]: row for row in table.rows(columns=STORED_COLUMNS).to_pylist()}


def plan_documents(
    name: str, source: SourceSettings, listed: Sequence[Listed], stored: dict[str, Row], ledger: Ledger
) -> DocumentsPlan:
    """Compares what the source has with what is stored; opens nothing."""
    found = {item.uri: item for item in listed if parser_for(item.uri) is not None}
    removed = [row for uri, row in stored.items() if uri not in found]
    gone = vanished(source, (row["document_id"] for row in removed), len(stored))
    if gone.too_many:
        hold = ledger.hold_for(name)
        if hold is None or not hold.confirmed or hold.digest != gone.digest:
            limit = f"{source.max_removed_fraction:.0%}"
            return DocumentsPlan(
                settled=list(stored.values()),
                removed=removed,
                stored=stored,
                held=f"held: {gone.reason} (max_removed_fraction: {limit})",
            )
    quarantine, salt = Quarantine(name, ledger, READING), settings_salt(source)
    fates = {uri: _fate(name, source, item, stored.get(uri), salt, quarantine) for uri, item in found.items()}
    return DocumentsPlan(
        due=[item for uri, item in found.items() if fates[uri] == "due"],
        settled=[row for uri, row in stored.items() if fates.get(uri) in ("settled", "waiting")],
        removed=[row for uri, row in stored.items() if fates.get(uri, "given up") == "given up"],
        stored=stored,
        waiting=frozenset(uri for uri, fate in fates.items() if fate == "waiting"),
    )


def _fate(
    name: str, source: SourceSettings, item: Listed, stored: Row | None, salt: str, quarantine: Quarantine
) -> Literal["due", "settled", "waiting", "given up"]:
    """What a run would do with a listed document: open it, leave it, or, when it failed before, what became of that."""
    differs = is_document_due(item, stored, salt)
    if item.uri not in quarantine:
        return "due" if differs else "settled"
    key, gate = id_of(name, item), reading_gate(change_gate(item.fingerprint, salt), parser_for(item.uri), source)
    if quarantine.is_given_up(key, gate):
        return "given up"
    if quarantine.is_due(key, gate, otherwise=differs):
        return "due"
    return "waiting" if differs else "settled"


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening a document gave. `row` is what would be stored, or the stored row where that would stay.

    `is_new_row` tells the two apart. `row` is None where it cannot be read and nothing is stored of it.
    """

    item: Listed
    row: Row | None
    is_new_row: bool
    failed: bool


def open_documents(
    name: str, source: SourceSettings, connector: Connector, plan: DocumentsPlan, items: Sequence[Listed]
) -> Iterator[Opened]:
    """Reads and parses `items`, one after another."""
    salt = settings_salt(source)
    reading = Reading(name, source.language, tuple(sorted(source.allowed_groups)))
    for item in items:
        previous = plan.stored.get(item.uri)
        try:
            loaded = connector.load(item.uri)
            if previous and previous["content_hash"] == loaded.content_hash and same_reading(previous, item.uri, salt):
                yield Opened(item, previous, is_new_row=False, failed=False)
                continue
            document = parse(loaded.data, item.uri, language=source.language)
        except DocumentError:
            yield Opened(item, previous, is_new_row=False, failed=True)
            continue
        row = document_row(loaded, document, reading)
        if previous and previous["row_hash"] == row["row_hash"]:
            yield Opened(item, previous, is_new_row=False, failed=False)
        else:
            yield Opened(item, row, is_new_row=True, failed=False)


def id_of(name: str, item: Listed) -> str:
    """The id of a listed document."""
    return document_id(name, item.uri)
