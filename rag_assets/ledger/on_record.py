"""Answers while the ledger takes no rows: its disk is full or read-only, and what serves can be read all the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rag_assets.errors import LedgerUnwritableError

if TYPE_CHECKING:
    from rag_assets.models.usage import ExpectedCall, Usage, UsageSink

_log = logging.getLogger(__name__)


class OnRecord:
    """A `UsageSink` in front of `sink`. What the ledger cannot take is left out, and said once as a warning."""

    def __init__(self, what: str, sink: UsageSink) -> None:
        self._what = what
        self._sink = sink
        self._said = False

    def admit(self, call_id: str, expected: Callable[[], ExpectedCall]) -> None:
        """Raises `LedgerError` where a budget applies and the ledger takes no rows: nobody could hold to it."""
        self._sink.admit(call_id, expected)

    def release(self, call_id: str) -> None:
        self._sink.release(call_id)

    def record(self, usage: Usage) -> None:
        with self.where_possible():
            self._sink.record(usage)

    @contextmanager
    def where_possible(self) -> Iterator[None]:
        """For a block that writes to the ledger what is not needed for the answer."""
        try:
            yield
        except LedgerUnwritableError as error:
            if not self._said:
                _log.warning("warning: this %s is not on record. %s", self._what, error)
            self._said = True
