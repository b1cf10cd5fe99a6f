"""The passages that examples are given: what an index snapshot retrieves, and what it holds of expected documents.

Only what everybody may see is trained on: sources for all, less what has been revoked. A tuned model answers anybody,
and nothing can be taken out of its weights again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rag_assets.answering import Retriever
from rag_assets.evaluation.model import Expected
from rag_assets.evaluation.places import possible_uris
from rag_assets.evaluation.retrieval_metrics import holds_part, names_document
from rag_assets.store import Hit
from rag_assets.store.hits import HIT_COLUMNS, hit_of
from rag_assets.store.sql import any_of

SEARCHED = 50
"""How deep the right passage is looked for, so that it has the score that it would be found with."""
REMEMBERED_DOCUMENTS = 256


class Passages:
    """What examples are shown. `retriever` searches a snapshot as for somebody who is in no group."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever
        self._denied = retriever.denied()
        self._documents = lru_cache(maxsize=REMEMBERED_DOCUMENTS)(self._read)

    def ranked(self, question: str, *, least: int) -> list[Hit]:
        """The best distinct passages for `question`, best first: `SEARCHED`, or `least` if that is more."""
        return self._retriever.retrieve(question, k=max(SEARCHED, least), distinct=True)

    def of_places(self, places: Sequence[Expected]) -> list[Hit]:
        """Every passage of the places, in the order of the documents' text. They have no score of their own: 0."""
        found = [hit for uri in sorted(possible_uris(places)) for hit in self._documents(uri)]
        return [hit for hit in found if in_places(hit, places)]

    def widened(self, hits: Sequence[Hit]) -> list[Hit]:
        """`hits` with the neighbours that a prompt gets in service."""
        return self._retriever.widened(hits)

    def _read(self, uri: str) -> list[Hit]:
        rows = self._retriever.table.search().where(any_of("uri", [uri])).select(HIT_COLUMNS).to_arrow().to_pylist()
        hits = [hit_of(row, score=0.0) for row in rows]
        return sorted(filter(self._may_be_shown, hits), key=lambda hit: (hit.source, hit.ordinal))

    def _may_be_shown(self, hit: Hit) -> bool:
        hidden = hit.document_id in self._denied.documents or hit.source in self._denied.sources
        return not hidden and hit.source in self._retriever.visible_sources


def in_places(hit: Hit, places: Sequence[Expected]) -> bool:
    """Whether a passage is where one of `places` is."""
    return any(
        names_document(place, hit.source, hit.uri)
        and holds_part(place, heading_path=hit.heading_path, page=hit.page, text=hit.text)
        for place in places
    )
