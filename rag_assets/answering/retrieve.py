"""The passages for a question, from exactly the rows a release pins, less what has been revoked since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from rag_assets.config import RetrievalSettings
from rag_assets.ledger import Denied
from rag_assets.models.embedder import Embedder
from rag_assets.store import Hit, search


@dataclass(frozen=True, slots=True)
class Retriever:
    """Searches one snapshot.

    `table` is the index opened at the pinned version. `denied` is asked before every search, so that a revocation holds
    from the next question on. `visible_sources` are the sources that the configuration has now and the asker may see.
    """

    table: Any
    embedder: Embedder
    settings: RetrievalSettings
    denied: Callable[[], Denied]
    visible_sources: Collection[str]

    def retrieve(
        self, question: str, *, k: int | None = None, sources: Sequence[str] | None = None, distinct: bool = False
    ) -> list[Hit]:
        """The best `k` passages, best first; `sources` narrows the search.

        `distinct` leaves out passages whose text an earlier one has: two copies of a page tell a reader nothing new.
        """
        settings = self.settings if k is None else self.settings.model_copy(update={"k": k})
        wanted = set(self.visible_sources if sources is None else sources) & set(self.visible_sources)
        if not wanted:
            return []
        asked = settings.model_copy(update={"k": min(2 * settings.k, 100)}) if distinct else settings
        vector = self.embedder.embed_query(question) if settings.mode != "text" else None
        denied = self.denied()
        hits = search(
            self.table,
            query=question,
            vector=vector,
            settings=asked,
            sources=sorted(wanted),
            denied_documents=denied.documents,
            denied_sources=denied.sources,
        )
        if not distinct:
            return hits
        first = {hit.text: hit for hit in reversed(hits)}
        return [hit for hit in hits if first[hit.text] is hit][: settings.k]
