"""Finds the texts that spoil a request: what is refused or answered with rubbish is halved until they stand alone.

What had arrived is kept at every step. A request that is refused would be refused again, so it is halved at once. An
answer that is broken (null, NaN, zero or wrong-dimension vectors, or no answer of this protocol) may be whole the next
time: its texts are sent once more, together if others of the answer were sound, and in halves if none was. So a text
of a batch of n is sent at most 2 + log2(n) times, alone at most twice, and never again after that by this call.

Before anything is halved, a harmless text is sent. If that fails too, the provider or its configuration is at fault and
not the texts: the error is raised, and no text is blamed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rag_assets.errors import InvalidRequestError, InvalidVectorError, ModelError
from rag_assets.models.embedding_calls import EmbeddedBatch, EmbeddingCalls

PROBE = "test"
"""What every embedding model accepts: a request for it that is refused is wrong in itself, whatever its texts are."""


@dataclass
class IsolatingRequest:
    """One planned request and what became of it: `batches` in the order of arrival, also when `send` raises."""

    calls: EmbeddingCalls
    texts: Sequence[str]
    counts: Sequence[int]
    probe_tokens: int
    batches: list[EmbeddedBatch] = field(default_factory=list)
    _probed: bool = False

    def send(self, indices: Sequence[int]) -> None:
        """Embeds the texts at `indices` or reports them as failures; raises what no text is to blame for."""
        self._send(indices, again=False)

    def _send(self, indices: Sequence[int], *, again: bool) -> None:
        try:
            batch = self.calls.send(indices, [self.texts[i] for i in indices], [self.counts[i] for i in indices])
        except InvalidRequestError as error:
            self._divide(indices, error, again=again, may_pass=False)
            return
        except InvalidVectorError as error:
            self._divide(indices, error, again=again, may_pass=True)
            return
        broken = [index for index, _ in batch.failures]
        if not broken or (again and (batch.indices or len(indices) == 1)):
            self.batches.append(batch)
            return
        self.batches.append(replace(batch, failures=[]))
        if batch.indices:
            self._probed = True  # the sound vectors of this answer say as much as a probe
            self._send(broken, again=True)
        else:
            self._divide(indices, batch.failures[0][1], again=again, may_pass=True)

    def _divide(self, indices: Sequence[int], error: ModelError, *, again: bool, may_pass: bool) -> None:
        """After a request of which nothing came: halves it, or ends with the text that stands alone."""
        if not self._probed:
            self._probe()
        if len(indices) > 1:
            middle = len(indices) // 2
            self._send(indices[:middle], again=again)
            self._send(indices[middle:], again=again)
        elif may_pass and not again:
            self._send(indices, again=True)
        else:
            self.batches.append(self._without_vectors([(indices[0], error)]))

    def _probe(self) -> None:
        probe = self.calls.send([0], [PROBE], [self.probe_tokens])
        if probe.failures:
            raise probe.failures[0][1]
        self._probed = True
        self.batches.append(replace(self._without_vectors([]), requests=probe.requests, cost_usd=probe.cost_usd))

    def _without_vectors(self, failures: list[tuple[int, ModelError]]) -> EmbeddedBatch:
        return EmbeddedBatch([], np.empty((0, self.calls.dimension), np.float32), [], failures)
