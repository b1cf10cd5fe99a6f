"""Named places at which a test ends the process, as a crash or a pulled plug would: with SIGKILL, no clean-up.

RAG_ASSETS_FAILPOINT names one place, and where wanted the hit that ends the process and a delay in milliseconds:

    store.between_upsert_and_delete        the first time that the place is reached
    store.between_upsert_and_delete@3      the third time
    store.during_compaction@1+40           40 ms after the first time, in the middle of what follows

Without the variable a place costs one look into the environment. Place them between two writes that belong together,
never in a loop over rows.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter

VARIABLE = "RAG_ASSETS_FAILPOINT"
_hits: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Ends the process here if RAG_ASSETS_FAILPOINT says so."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    place, _, when = wanted.partition("@")
    if place != name:
        return
    hit, _, delay_ms = when.partition("+")
    _hits[name] += 1
    if _hits[name] != int(hit or 1):
        return
    if not delay_ms:
        _die()
    threading.Thread(target=_die_later, args=(int(delay_ms) / 1000,), daemon=True).start()


def _die_later(seconds: float) -> None:
    time.sleep(seconds)
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
