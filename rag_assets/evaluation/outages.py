"""Tells a bad release from a provider that is down: an outage says nothing about what was to be measured."""

from __future__ import annotations

from rag_assets.errors import (
    AuthenticationError,
    InvalidRequestError,
    ModelError,
    ModelNotFoundError,
    ProviderUnavailableError,
    QuotaError,
    RagAssetsError,
    RateLimitError,
    WeightsError,
)

FINAL = (AuthenticationError, QuotaError, WeightsError, ModelNotFoundError)
"""What fails one question so fails all of them."""
OUTAGES = (*FINAL, ProviderUnavailableError, RateLimitError)
IN_A_ROW = 5
"""So many outages after each other are no coincidence; to go on would mean as many timeouts as there are questions."""
SPARED_FRACTION = 0.05
"""Of what is asked now, this share may meet an outage: the gate begins to notice five lost answers of a hundred."""
SPARED_QUESTIONS = 2
"""So many may meet an outage whatever their share, so that a hiccup does not stop the evaluation of a few questions."""
SPARED_BASELINE_FRACTION = 0.1
"""Of all questions of a baseline: what it did not answer compares with nothing, and the rest must stand for it."""


class OutageWatch:
    """Counts the failures of one evaluation. `total` is how many questions it has, `to_ask` how many are asked now.

    `baseline`: something else is to be compared with it. Without `spared`, no outage is passed over.
    """

    def __init__(self, total: int, to_ask: int, *, baseline: bool = False, spared: bool = True) -> None:
        self._total = total
        self._to_ask = to_ask
        self._baseline = baseline
        self._spared = spared
        self._asked = 0
        self._outages = 0
        self._in_a_row = 0
        self._failed = 0
        self._last: ModelError | None = None

    def note(self, error: RagAssetsError | None) -> None:
        """Counts one question. Raises its `ModelError` when going on is pointless.

        That is at once for a refused key, a used-up quota, missing weights and a model that is not there, and when
        `IN_A_ROW` questions after each other met an outage.
        """
        self._asked += 1
        self._in_a_row = self._in_a_row + 1 if isinstance(error, OUTAGES) else 0
        if not isinstance(error, ModelError):
            return
        self._failed += 1
        self._last = error
        if isinstance(error, OUTAGES):
            self._outages += 1
        if isinstance(error, FINAL) or self._in_a_row == IN_A_ROW:
            raise self._error(error)

    def finish(self) -> None:
        """Raises a `ModelError` when there is no result to speak of.

        That is when outages took more than is spared, or when models failed more than half of all questions in any
        way: a model whose name is wrong refuses every request.
        """
        if self._last is not None and (self._too_many_outages() or 2 * self._failed > self._total):
            raise self._error(self._last)

    def _too_many_outages(self) -> bool:
        if not self._spared:
            return self._outages > 0
        if self._baseline and self._outages > SPARED_BASELINE_FRACTION * self._total:
            return True
        if 2 * self._outages > self._to_ask:
            return True
        return self._outages > SPARED_QUESTIONS and self._outages > SPARED_FRACTION * self._to_ask

    def _error(self, error: ModelError) -> ModelError:
        kind = InvalidRequestError if isinstance(error, InvalidRequestError) else type(error)
        return kind(
            f"The evaluation was given up: {self._failed:,} of {self._asked:,} questions failed with the models. "
            f"{error.problem}",
            fix=f"{error.fix or 'Check the provider.'} Then evaluate again; what was answered is kept.",
        )
