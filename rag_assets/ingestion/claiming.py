"""Which inputs a process may embed, when others want some of the same: each is claimed before it is sent.

The contract, for any number of runs over any sources, on one machine or several with one ledger:

- Who has a claim looks whether the input was stored meanwhile, embeds it if not, stores the vector, and ends the claim.
- Who does not get a claim goes on with others, and waits only when it holds none itself: two runs never wait for each
  other.
- The claims of a dead process are ended by whoever meets them. On the machine where it ran the lock of its spool tells
  at once; elsewhere its lease tells, which a living process renews.
"""

from __future__ import annotations

import socket
import threading
import time
from datetime import timedelta
from pathlib import Path

from rag_assets.errors import LedgerError
from rag_assets.fingerprints import fingerprint
from rag_assets.ingestion import spool
from rag_assets.ledger import Claimant, Ledger
from rag_assets.ledger.columns import utc_now

LEASE = timedelta(minutes=5)
RENEW_SECONDS = 60.0


class Claims:
    """The claims of this process for one space. Close it: that ends what is left of them."""

    def __init__(self, folder: Path, ledger: Ledger, space: str, owner: str) -> None:
        self._ledger = ledger
        self._space = space
        self._owner = owner
        self._place = place_of(folder)
        self._closed = threading.Event()
        self._changing = threading.Lock()  # else PostgreSQL may find that renewing and ending wait for each other
        threading.Thread(target=self._renew, name="embedding claims", daemon=True).start()

    def claim(self, hashes: list[str]) -> set[str]:
        """Claims what nobody has; returns those that others have."""
        return self._ledger.claim_inputs(self._space, hashes, self._owner, self._place, LEASE)

    def end(self, hashes: list[str]) -> None:
        """Ends the claims on these inputs: they are stored, or refused, or were not needed."""
        with self._changing:
            self._ledger.end_claims(self._owner, self._space, hashes)

    def close(self, *, end: bool) -> None:
        """Stops renewing. With `end`, ends every claim that is left; else that is for who takes the spool over."""
        self._closed.set()
        if end:
            with self._changing:
                self._ledger.end_claims(self._owner)

    def _renew(self) -> None:
        while not self._closed.wait(RENEW_SECONDS):
            try:
                with self._changing:
                    self._ledger.renew_claims(self._owner, LEASE)
            except LedgerError:
                continue  # the run itself meets the ledger soon, and says what is wrong with it


class Watch:
    """Tells of the processes that hold claims which of them are dead."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, tuple[object, float]] = {}

    def is_dead(self, claimant: Claimant) -> bool:
        """Also of one that lives and has not renewed its claims for as long as this process watched: it was stopped."""
        if claimant.place == place_of(self._folder):
            if not spool.is_alive(self._folder, claimant.owner):
                return True
        elif claimant.expires_at < utc_now():
            return True
        expires_at, since = self._seen.get(claimant.owner, (None, 0.0))
        if expires_at != claimant.expires_at:
            self._seen[claimant.owner] = (claimant.expires_at, time.monotonic())
            return False
        return time.monotonic() - since > LEASE.total_seconds()


def place_of(folder: Path) -> str:
    """Names the machine and the folder in which the locks of a process can be looked at; "" while there is none."""
    try:
        status = folder.stat()
    except OSError:
        return ""
    return fingerprint(host=socket.gethostname(), device=status.st_dev, inode=status.st_ino)
