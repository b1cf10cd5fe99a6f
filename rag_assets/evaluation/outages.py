"""Tells a bad release from a provider that is down: an outage says nothing about what was to be measured."""

from __future__ import annotations

from rag_assets.errors import (
    AuthenticationError,
    InvalidRequestError,
    ModelError,
    ProviderUnavailableError,
    QuotaError,
    RagAssetsError,
    RateLimitError,
    WeightsError,
)

FINAL = (AuthenticationError, QuotaError, WeightsError)
"""What fails one question so fails all of them."""
OUTAGES = (*FINAL, ProviderUnavailableError, RateLimitError)
EARLY_QUESTIONS = 5


class OutageWatch:
    """Counts the failures of one evaluation. `total` is how many questions it has, `to_ask` how many are asked now."""

    def __init__(self, total: int, to_ask: int) -> None:
        self._total = total
        self._to_ask = to_ask
        self._asked = 0
        self._outages = 0
        self._failed = 0
        self._last: ModelError | None = None

    def note(self, error: RagAssetsError | None) -> None:
        """Counts one question. Raises its `ModelError` when going on is pointless.

        That is at once for a refused key, a used-up quota and missing weights, and when all of the first
        `EARLY_QUESTIONS` met an outage.
        """
        self._asked += 1
        if not isinstance(error, ModelError):
            return
        self._failed += 1
        self._last = error
        if isinstance(error, OUTAGES):
            self._outages += 1
        if isinstance(error, FINAL) or self._outages == self._asked == EARLY_QUESTIONS:
            raise self._error(error)

    def finish(self) -> None:
        """Raises a `ModelError` when there is no result to speak of.

        That is when more than half of what was asked now met an outage, or when models failed more than half of all
        questions in any way: a model whose name is wrong refuses every request.
        """
        if self._last is not None and (2 * self._outages > self._to_ask or 2 * self._failed > self._total):
            raise self._error(self._last)

    def _error(self, error: ModelError) -> ModelError:
        kind = InvalidRequestError if isinstance(error, InvalidRequestError) else type(error)
        return kind(
            f"The evaluation was given up: {self._failed:,} of {self._asked:,} questions failed with the models. "
            f"{error.problem}",
            fix=f"{error.fix or 'Check the provider.'} Then evaluate again; what was answered is kept.",
        )
