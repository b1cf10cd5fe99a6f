"""What a person decides about failed documents: to try them again, or to give them up."""

from __future__ import annotations

from collections.abc import Sequence

from rag_assets.config import SourceSettings
from rag_assets.ingestion.quarantine import READING, reading_gate
from rag_assets.ledger import Failure, Ledger
from rag_assets.store import Store, Table
from rag_assets.store.sql import any_of, in_groups

GIVEN_UP = "given up in quarantine"
"""Why such a document is on the deny-list."""


def retry(source: str, failures: Sequence[Failure], *, store: Store, ledger: Ledger) -> None:
    """Makes failed documents of `source` due at its next run, also those that were given up.

    What the model refused of them is sent to it again, for every document that has the same input.
    """
    chunks = store.chunks(source)
    if chunks.exists():
        for group in in_groups([failure.document_id for failure in failures]):
            rows = chunks.rows(columns=["input_hash"], where=any_of("document_id", group))
            ledger.forget_refused(rows["input_hash"].to_pylist())
    ledger.retry_failures(source, [failure.uri for failure in failures])


def drop(name: str, failures: Sequence[Failure], source: SourceSettings, *, store: Store, ledger: Ledger) -> None:
    """Gives up failed documents as they are now: no search returns them from this moment on, no gate waits for them.

    The next run treats them as gone from their source: their rows, chunks and vectors' places in the index go.
    """
    ledger.deny_documents(name, [(failure.document_id, failure.uri) for failure in failures], reason=GIVEN_UP)
    ledger.drop_failures(name, _gates(failures, source, store.raw_documents(name)))


def _gates(failures: Sequence[Failure], source: SourceSettings, table: Table) -> dict[str, str]:
    """Uri → the gate of reading, by which the next run knows whether the document is still what was given up."""
    gates = {failure.uri: failure.gate for failure in failures}
    later = [failure for failure in failures if failure.stage not in READING and not failure.dropped]
    if later and table.exists():
        columns = ["uri", "fingerprint", "parser"]
        rows = table.lookup([failure.document_id for failure in later], columns=columns).to_pylist()
        gates |= {row["uri"]: reading_gate(row["fingerprint"], row["parser"], source) for row in rows}
    return gates
