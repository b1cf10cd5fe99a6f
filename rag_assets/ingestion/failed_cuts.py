"""The documents of a source that could not be cut before: few, so they are looked at singly."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rag_assets.chunking.rows import Cutting, Uncut
from rag_assets.ingestion.chunk_state import Comparison
from rag_assets.ingestion.quarantine import CHUNK, Quarantine, chunking_gate
from rag_assets.ledger import Failure, Ledger


class FailedCuts:
    """Decides which of them are tried again, and which failures end."""

    def __init__(self, name: str, ledger: Ledger, compared: Comparison, cutting: Cutting) -> None:
        self._cutting = cutting
        self._quarantine = Quarantine(name, ledger, [CHUNK])
        failed = pa.array(self._quarantine.document_ids, pa.string())
        found = pc.index_in(failed, value_set=compared.documents["document_id"]).to_pylist() if len(failed) else []
        self._positions = {key: at for key, at in zip(failed.to_pylist(), found, strict=True) if at is not None}
        self._gates = {
            key: self._gate(compared.documents["row_hash"][at].as_py()) for key, at in self._positions.items()
        }
        self._tried: set[str] = set()

    def due(self, compared: Comparison) -> np.ndarray:
        """The positions of the documents to cut: those that differ from their chunks, or failed and are tried again."""
        due = compared.due
        for key, at in self._positions.items():
            due[at] = self._quarantine.is_due(key, self._gates[key], otherwise=bool(due[at]))
        self._tried = {key for key, at in self._positions.items() if due[at]}
        return np.flatnonzero(due)

    def fail(self, uncut: Uncut) -> None:
        """Adds a failure."""
        gate = self._gate(uncut.row_hash)
        self._quarantine.fail(uncut.uri, uncut.document_id, CHUNK, uncut.error, gate)

    def flush(self) -> None:
        """Writes what was added since the last call."""
        self._quarantine.flush()

    def settle(self) -> int:
        """Forgets the failures that are over; returns how many documents stand failed."""
        return self._quarantine.settle(self._is_over)

    def _is_over(self, failure: Failure) -> bool:
        """Whether a failure of this stage ends: its document was cut, or is again what was cut before."""
        gate = self._gates.get(failure.document_id)
        if failure.stage != CHUNK or failure.dropped or gate is None:
            return False
        return failure.document_id in self._tried or failure.gate != gate

    def _gate(self, row_hash: str) -> str:
        return chunking_gate(row_hash, self._cutting.chunking_id, self._cutting.max_input_tokens)
