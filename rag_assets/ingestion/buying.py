"""Embeds the missing inputs of a source beside whoever else embeds, so that each is paid for once.

Reading, embedding and writing overlap: texts are read one window ahead, and a window is written while the next one is
embedded. What arrives is in the spool before anything else happens to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rag_assets.failpoints import failpoint
from rag_assets.ingestion.claiming import Claims, Watch
from rag_assets.ingestion.input_hashes import InputSet, Mask, raw_of
from rag_assets.ingestion.input_windows import WINDOW_INPUTS, InputWindow, input_windows, read_ahead
from rag_assets.ingestion.landing import Landing, Window, take_over
from rag_assets.ingestion.spool import Received, Spool
from rag_assets.ingestion.stored_vectors import stored
from rag_assets.ledger import Ledger
from rag_assets.models.embedder import EmbeddedBatch, Embedder
from rag_assets.store import Table

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class Shop:
    """What is embedded with what, and where it is kept. `spool` is the folder of the space."""

    chunks: Table
    embeddings: Table
    embedder: Embedder
    ledger: Ledger
    spool: Path

    @property
    def space(self) -> str:
        return self.embedder.space.name


@dataclass(slots=True)
class Bought:
    """What came of it. `stored` marks the inputs that have a vector, whoever embedded them; `refused` is hash → why.

    `version` is that of the table when `stored` was first read.
    """

    stored: Mask
    version: int
    embedded: int = 0
    commits: int = 0
    refused: dict[str, str] = field(default_factory=dict)


def buy(
    shop: Shop, inputs: InputSet, missing: Mask, bought: Bought, on_batch: Callable[[bool], None] = lambda waits: None
) -> None:
    """Brings the inputs that `missing` marks into the table, or into `bought.refused`.

    `on_batch` is called after each answer, and with True once it waits for other runs. Raises a `ModelError` when the
    provider is unusable and a `StoreError` when nothing can be kept; what had arrived by then is kept.
    """
    with _Buyer.opened(shop, inputs, bought, on_batch) as buyer:
        while missing.any():
            awaited = buyer.embed(missing)
            missing = buyer.wait(awaited) if awaited.any() else awaited


class _Buyer:
    def __init__(
        self,
        shop: Shop,
        inputs: InputSet,
        bought: Bought,
        on_batch: Callable[[bool], None],
        *,
        spool: Spool,
        claims: Claims,
        landing: Landing,
    ) -> None:
        self._shop = shop
        self._inputs = inputs
        self._bought = bought
        self._on_batch = on_batch
        self._spool = spool
        self._claims = claims
        self._landing = landing
        self._watch = Watch(shop.spool)

    @classmethod
    @contextmanager
    def opened(cls, shop: Shop, inputs: InputSet, bought: Bought, on_batch: Callable[[bool], None]) -> Iterator[_Buyer]:
        """Leaves nothing behind, but what could not be stored: that stays in the spool, with its claims."""
        spool = Spool(shop.spool)
        claims = Claims(shop.spool, shop.ledger, shop.space, spool.owner)
        landing = Landing(shop.embeddings, claims.end)
        all_stored = False
        try:
            yield cls(shop, inputs, bought, on_batch, spool=spool, claims=claims, landing=landing)
        finally:
            try:
                all_stored = landing.close()
                bought.commits += landing.commits
                claims.close(end=all_stored)
            finally:
                spool.close()

    def embed(self, missing: Mask) -> Mask:
        """Embeds what nobody else is embedding; returns what others are."""
        awaited = self._inputs.mask()
        with closing(read_ahead(input_windows(self._shop.chunks, self._inputs, missing))) as windows:
            for window in windows:
                others = self._claims.claim(window.hashes)
                self._inputs.mark(awaited, raw_of(others))
                mine = self._still_missing(set(window.hashes) - others)
                if mine:
                    self._embed_window(window.only(mine))
        self._landing.drain()
        return awaited

    def wait(self, awaited: Mask) -> Mask:
        """Waits until some of `awaited` are stored or free to be claimed; returns those that are still missing."""
        shop, seconds = self._shop, FIRST_WAIT_SECONDS
        self._on_batch(True)
        while True:
            time.sleep(seconds)
            seconds = min(seconds * 1.5, LONGEST_WAIT_SECONDS)
            self._bought.commits += take_over(shop.spool, shop.embeddings, shop.ledger)
            missing = awaited & ~self._settled(awaited)
            sample = next(self._inputs.groups(missing, WINDOW_INPUTS), [])
            claimants = shop.ledger.claimants(shop.space, sample)
            dead = [one for one in claimants if self._watch.is_dead(one)]
            for one in dead:
                shop.ledger.end_claims(one.owner)
            if dead or sum(one.inputs for one in claimants) < len(sample) or not sample:
                return missing

    def _still_missing(self, claimed: set[str]) -> set[str]:
        """Of what was just claimed, what has no vector yet: it may have got one since it was looked for."""
        marked = self._inputs.among(raw_of(claimed))
        settled = self._settled(marked)
        gone = {key for group in self._inputs.groups(settled, WINDOW_INPUTS) for key in group}
        if gone:
            self._claims.end(sorted(gone))
        return claimed - gone

    def _settled(self, asked: Mask) -> Mask:
        """Which of `asked` others have stored, or had refused, since the run began."""
        shop, settled = self._shop, self._inputs.mask()
        # Each commit makes one version. What this process writes just now is not counted yet: then it looks in vain.
        if shop.embeddings.version() != self._bought.version + self._landing.commits:
            settled |= stored(shop.embeddings, self._inputs, asked)
            self._bought.stored |= settled
        refused = shop.ledger.refused(shop.space)
        if refused:
            self._inputs.mark(settled, raw_of(refused))
            settled &= asked
            names = (key for group in self._inputs.groups(settled, WINDOW_INPUTS) for key in group)
            self._bought.refused |= {key: refused[key] for key in names if key in refused}
        return settled

    def _embed_window(self, window: InputWindow) -> None:
        failpoint("embeddings.between_intent_and_call")
        file = self._spool.next_window()
        received: list[Received] = []
        refused: dict[str, str] = {}
        try:
            for batch in self._shop.embedder.embed_documents(window.texts):
                refused |= {window.hashes[at]: str(error) for at, error in batch.failures}
                if batch.indices:
                    received.append(self._keep(window, batch))
                self._on_batch(False)
        finally:
            if refused:
                self._shop.ledger.record_refused(self._shop.space, refused)
                self._claims.end(list(refused))
                self._bought.refused |= refused
            if received:
                self._landing.put(Window(received, file))
            else:
                file.unlink(missing_ok=True)

    def _keep(self, window: InputWindow, batch: EmbeddedBatch) -> Received:
        hashes = raw_of(window.hashes[at] for at in batch.indices)
        received = Received(hashes, batch.vectors, np.array(batch.token_counts, np.int32))
        self._spool.append(received)
        failpoint("embeddings.between_received_and_stored")
        self._bought.embedded += len(batch.indices)
        self._inputs.mark(self._bought.stored, hashes)
        return received
