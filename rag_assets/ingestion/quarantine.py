"""Which failed documents a run tries again, and what it records of those that fail.

A failure holds for exactly what decided it, its *gate*: the document and the settings that its stage depends on. While
the gate is the same the document is not tried again, so that an unchanged run opens and cuts nothing for it. It is due
when its gate changes, when a person asks for it, and, where the cause may pass by itself (a file that cannot be read, a
store that does not answer), at the next run and then after waits that double from `FIRST_WAIT` to `LONGEST_WAIT`.

One failure of a document is kept: that of the earliest stage. A document that a person gave up counts as gone from its
source until it changes; see `drop`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from rag_assets.config import SourceSettings
from rag_assets.errors import LoadError, RagAssetsError, UnfitDocumentError
from rag_assets.fingerprints import fingerprint
from rag_assets.ledger import FailedDocument, Failure, Ledger

READING = ("load", "parse")
CHUNK = "chunk"
EMBED = "embed"
STAGES = (*READING, CHUNK, EMBED)
FIRST_WAIT = timedelta(minutes=5)
LONGEST_WAIT = timedelta(hours=6)


def reading_gate(change_gate: str, parser: str | None, source: SourceSettings) -> str:
    """What decides whether a document can be read: its `change_gate`, as a stored row has it in `fingerprint`, its
    parser, and the settings of its source that reading obeys."""
    return f"{change_gate}|{parser}|{fingerprint(path=source.path, max_file_bytes=source.max_file_bytes)[:8]}"


def chunking_gate(row_hash: str, chunking_id: str, max_input_tokens: int) -> str:
    """What decides whether a document can be cut: itself, the chunker with its settings, and the model's limit."""
    return f"{row_hash}|{chunking_id}|{max_input_tokens}"


def retry_after(previous: Failure | None, gate: str, error: object, now: datetime) -> datetime | None:
    """When an unchanged document is tried again after failing with `error`; None when only a change can mend it."""
    if not isinstance(error, LoadError) or isinstance(error, UnfitDocumentError):
        return None
    if previous is None or previous.gate != gate or previous.retry_after is None:
        return now
    waited = previous.retry_after - previous.last_seen
    return now + min(max(2 * waited, FIRST_WAIT), LONGEST_WAIT)


class Quarantine:
    """The failures of one source as a stage finds them, and those it adds. Not thread safe: use it in one thread.

    `stages` are those that the caller stands for. `flush` writes what was added; call it after each batch.
    """

    def __init__(self, source: str, ledger: Ledger, stages: Collection[str], *, now: datetime | None = None) -> None:
        self._source = source
        self._ledger = ledger
        self._stages = stages
        self._now = now or datetime.now(UTC)
        self._failures = ledger.quarantined(source)
        self._found = {failure.document_id: failure for failure in self._failures}
        self._uris = {failure.uri for failure in self._failures}
        self._added: set[str] = set()
        self._unwritten: list[FailedDocument] = []

    def __contains__(self, uri: str) -> bool:
        """Whether the document at `uri` failed before; costs less than to name its gate."""
        return uri in self._uris

    @property
    def uris(self) -> frozenset[str]:
        """The documents that failed before."""
        return frozenset(self._uris)

    @property
    def document_ids(self) -> list[str]:
        """Their ids, sorted."""
        return sorted(self._found)

    def is_due(self, document_id: str, gate: str, *, otherwise: bool) -> bool:
        """Whether to try a document; `otherwise` is the answer for one that did not fail with this gate."""
        failure = self._found.get(document_id)
        if failure is None or failure.gate != gate or not (failure.dropped or failure.stage in self._stages):
            return otherwise
        return failure.is_due(gate, self._now)

    def is_given_up(self, document_id: str, gate: str) -> bool:
        """Whether a person gave up the document as it is."""
        failure = self._found.get(document_id)
        return failure is not None and failure.dropped and failure.gate == gate

    def fail(
        self,
        uri: str,
        document_id: str,
        stage: str,
        error: RagAssetsError | str,
        gate: str,
        *,
        attempted: bool = True,
    ) -> None:
        """Adds a failure. What an earlier stage says of the document stands, for that has to be mended first.

        Where nothing was `attempted`, a failure that is recorded with this gate stays as it is, unless its time to be
        tried again has come: a source must not be run for it again and again.
        """
        previous = self._found.get(document_id)
        self._added.add(document_id)
        if self._stands(previous, stage):
            return
        if not attempted and previous is not None and previous.gate == gate and previous.retry_after is None:
            return
        after = retry_after(previous, gate, error, self._now)
        self._unwritten.append(FailedDocument(uri, document_id, stage, str(error), gate, after, attempted))

    def flush(self) -> None:
        """Writes what was added since the last call, in one transaction."""
        self._ledger.record_failures(self._source, self._unwritten)
        self._unwritten = []

    def settle(self, is_over: Callable[[Failure], bool]) -> int:
        """Writes what is left and forgets what is over; returns how many documents stand failed at these stages."""
        self.flush()
        over = {failure.uri for failure in self._failures if self._is_over(failure, is_over)}
        if over:
            self._ledger.clear_failures(self._source, over)
        return sum(failure.stage in self._stages for failure in self._ledger.failures(self._source))

    def _is_over(self, failure: Failure, is_over: Callable[[Failure], bool]) -> bool:
        return failure.document_id not in self._added and is_over(failure)

    def _stands(self, previous: Failure | None, stage: str) -> bool:
        if previous is None or previous.dropped or previous.stage in self._stages:
            return False
        return STAGES.index(previous.stage) < STAGES.index(stage)
