"""Keeps what libraries say about a broken document out of the caller's terminal and log."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()
# Per logger: how many are inside `quiet`, and the level to go back to when the last one leaves.
_held: dict[str, tuple[int, int]] = {}


@contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Silences warnings, and the named loggers with those below them, while it is open."""
    for name in loggers:
        with _LOCK:
            count, level = _held.get(name, (0, logging.getLogger(name).level))
            _held[name] = (count + 1, level)
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name in loggers:
            with _LOCK:
                count, level = _held.pop(name)
                if count > 1:
                    _held[name] = (count - 1, level)
                else:
                    logging.getLogger(name).setLevel(level)
