"""The documents of a source that could not be read before, as they are listed now: few, so looked at singly."""

from __future__ import annotations

import numpy as np

from rag_assets.config import SourceSettings
from rag_assets.documents.parsing import parser_for
from rag_assets.errors import RagAssetsError
from rag_assets.fingerprints import document_id
from rag_assets.ingestion.listing import Compared
from rag_assets.ingestion.quarantine import READING, Quarantine, reading_gate
from rag_assets.ledger import Failure, Ledger


class FailedReadings:
    """Decides which of them are tried again, and which failures end. `given_up` has the uris a person gave up."""

    def __init__(self, name: str, source: SourceSettings, ledger: Ledger, compared: Compared) -> None:
        self._name = name
        self._source = source
        self._quarantine = Quarantine(name, ledger, READING)
        self._differs: dict[str, bool] = {}
        self._gates: dict[str, str] = {}
        self._positions = compared.positions(self._quarantine.uris) if self._quarantine.uris else {}
        for uri, at in self._positions.items():
            self._differs[uri] = bool(compared.differs[at])
            self._gates[uri] = self._reading_gate(uri, compared.gates[at].as_py())
        self._loaded: set[str] = set()
        self.given_up = [uri for uri, gate in self._gates.items() if self._quarantine.is_given_up(self._id(uri), gate)]

    def due(self, compared: Compared, *, everything: bool) -> np.ndarray:
        """Which listed documents must be opened: those that are new or changed, or all with `everything`, or that
        failed and are tried again; never one that was given up."""
        due = compared.differs | everything
        for uri, at in self._positions.items():
            gate = self._gates[uri]
            due[at] = everything or self._quarantine.is_due(self._id(uri), gate, otherwise=self._differs[uri])
        due[[self._positions[uri] for uri in self.given_up]] = False
        return due

    def fail(self, uri: str, stage: str, error: RagAssetsError | str, gate: str) -> None:
        """Adds a failure of a document with this listed gate."""
        self._quarantine.fail(uri, self._id(uri), stage, error, self._reading_gate(uri, gate))

    def loaded(self, uris: list[str]) -> None:
        """Says that these were read."""
        self._loaded.update(self._gates.keys() & uris)

    def flush(self) -> None:
        """Writes what was added since the last call."""
        self._quarantine.flush()

    def settle(self) -> int:
        """Forgets the failures that are over; returns how many documents stand failed."""
        return self._quarantine.settle(self._is_over)

    def _is_over(self, failure: Failure) -> bool:
        """Whether a failure ends, after everything was loaded: of any stage when its document is gone from the source;
        of this one when it was read, or is again what was read before."""
        if failure.uri not in self._gates:
            return True
        if failure.uri in self._loaded:
            return failure.dropped or failure.stage in READING
        if failure.dropped or failure.stage not in READING:
            return False
        return not self._differs[failure.uri] and failure.gate != self._gates[failure.uri]

    def _reading_gate(self, uri: str, gate: str) -> str:
        return reading_gate(gate, parser_for(uri), self._source)

    def _id(self, uri: str) -> str:
        return document_id(self._name, uri)
