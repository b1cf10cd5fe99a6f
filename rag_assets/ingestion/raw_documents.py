"""Stage 1: the documents of a source, parsed, as rows.

The cheap gate comes first: a document whose fingerprint (size, times, inode, ETag) and parser are those of its stored
row is not opened, and neither is one that failed just as it is now. Then the content hash: a document that was touched
but not changed only gets its new fingerprint.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from rag_assets.config import SourceSettings
from rag_assets.documents.connectors import Connector
from rag_assets.documents.rows import Reading
from rag_assets.errors import SourceHeldError
from rag_assets.failpoints import failpoint
from rag_assets.fingerprints import data_version_of_columns
from rag_assets.ingestion.difference import settings_salt, vanished
from rag_assets.ingestion.failed_readings import FailedReadings
from rag_assets.ingestion.listing import Due, compare, missing, read_listing, read_stored
from rag_assets.ingestion.loading import Loader, Outcome
from rag_assets.ingestion.origins import record_missing_origins, record_origins
from rag_assets.ingestion.results import Progress, RawDocumentsResult, no_progress
from rag_assets.ledger import Ledger
from rag_assets.store import Table

BATCH_DOCUMENTS = 2_048
BATCH_CHARACTERS = 4_000_000


@dataclass(slots=True)
class _Tally:
    added: int = 0
    changed: int = 0
    failed: int = 0
    opened: int = 0
    removed: int = 0
    dropped: int = 0
    parser_changed: int = 0
    settings_changed: int = 0
    commits: int = 0


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
    with table.lock():
        stored = read_stored(table)
        compared = compare(read_listing(connector), stored, settings_salt(source))
        listed = compared.listed.num_rows
        removed = missing(stored, compared.listed)
        _hold_when_too_much_vanished(name, source, removed, stored.num_rows, ledger)
        failures = FailedReadings(name, source, ledger, compared)
        given_up = stored.filter(pc.is_in(stored["uri"], value_set=pa.array(failures.given_up, pa.string())))
        tally = _Tally(removed=removed.num_rows + given_up.num_rows, dropped=len(failures.given_up))
        _remove(name, pa.concat_tables([removed, given_up]), table, ledger, tally)
        due = Due.of(compared, failures.due(compared, everything=verify_contents))
        tally.parser_changed, tally.settings_changed = compared.parser_changed, compared.settings_changed
        del stored, compared, removed, given_up  # from here on only what is due is in memory
        reading = Reading(name, source.language, tuple(sorted(source.allowed_groups)))
        writer = _Writer(name, table, ledger, run_id, tally, failures, len(due), progress)
        for outcome in Loader(connector, table, reading, settings_salt(source)).outcomes(due):
            writer.take(outcome)
        writer.write()
        ledger.release_hold(name)
        failed = failures.settle()
        record_missing_origins(name, table, ledger)
        return _result(name, table, tally, listed=listed, failed=failed)


def _remove(name: str, gone: pa.Table, table: Table, ledger: Ledger, tally: _Tally) -> None:
    keys = gone["document_id"].to_pylist()
    denied = list(zip(keys, gone["uri"].to_pylist(), strict=True))
    ledger.deny_documents(name, denied, reason="removed from its source")
    if keys:
        failpoint("raw_documents.between_denied_and_removed")
    tally.commits += table.apply(None, keys).commits


def _hold_when_too_much_vanished(
    name: str, source: SourceSettings, removed: pa.Table, stored: int, ledger: Ledger
) -> None:
    gone = vanished(source, removed["document_id"].to_pylist(), stored)
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


@dataclass(slots=True)
class _Writer:
    """Gathers rows into writes of a bounded size, and records what failed."""

    name: str
    table: Table
    ledger: Ledger
    run_id: str | None
    tally: _Tally
    failures: FailedReadings
    due: int
    progress: Progress
    rows: list[pa.RecordBatch] = field(default_factory=list)
    characters: int = 0

    def take(self, outcome: Outcome) -> None:
        """Takes over what became of some documents, and writes when enough has come together."""
        tally = self.tally
        tally.opened += outcome.opened
        tally.added += outcome.added
        tally.changed += outcome.changed
        tally.failed += len(outcome.failed)
        for one in outcome.failed:
            self.failures.fail(one.uri, one.stage, one.error, one.gate)
        self.rows += outcome.rows
        self.characters += sum(int(batch["characters"].to_numpy().sum()) for batch in outcome.rows)
        if sum(batch.num_rows for batch in self.rows) >= BATCH_DOCUMENTS or self.characters >= BATCH_CHARACTERS:
            self.write()

    def write(self) -> None:
        """Writes what has come together, and whose rows they are."""
        if self.rows:
            rows = pa.Table.from_batches(self.rows)
            self.rows, self.characters = [], 0
            self.tally.commits += self.table.apply(rows, []).commits
            failpoint("raw_documents.between_written_and_origins")
            record_origins(rows, self.ledger, self.run_id)
            self.failures.loaded(rows["uri"].to_pylist())
            self.progress("documents", self.tally.opened, self.due)
        self.failures.flush()


def _result(name: str, table: Table, tally: _Tally, *, listed: int, failed: int) -> RawDocumentsResult:
    rows = empty = characters = 0
    pairs = []
    for batch in table.batches(columns=["document_id", "row_hash", "characters"]):
        lengths = batch["characters"].to_numpy()
        rows += len(lengths)
        empty += int((lengths == 0).sum())
        characters += int(lengths.sum())
        pairs.append((batch["document_id"], batch["row_hash"]))
    return RawDocumentsResult(
        data_version=data_version_of_columns(pairs, name),
        rows=rows,
        added=tally.added,
        changed=tally.changed,
        removed=tally.removed,
        unchanged=listed - tally.added - tally.changed - failed - tally.dropped,
        failed=failed,
        retried=tally.failed,
        dropped=tally.dropped,
        empty=empty,
        opened=tally.opened,
        characters=characters,
        parser_changed=tally.parser_changed,
        settings_changed=tally.settings_changed,
        commits=tally.commits,
        table_version=table.version(),
    )
