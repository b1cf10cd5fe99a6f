"""The passages for a question, from exactly the rows a release pins, less what has been revoked since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rag_assets.config import CONFIG_FILE_NAME, INDEX_SETTINGS, EmbeddingSettings, RetrievalSettings
from rag_assets.errors import ConfigurationError
from rag_assets.ledger import Denied
from rag_assets.models.vectors import Vectors
from rag_assets.store import Hit, Reranker, search, with_neighbours


class QueryEmbedder(Protocol):
    """What makes a question's vector: an `Embedder`, or what stands before one."""

    def embed_query(self, text: str) -> Vectors: ...


@dataclass(frozen=True, slots=True)
class Retriever:
    """Searches one snapshot.

    `table` is the index opened at the pinned version. `denied` is asked before every search, so that a revocation holds
    from the next question on. `visible_sources` are the sources that the configuration has now and the asker may see.
    `reranker` is what `settings.reranker` names, or None for "none".
    """

    table: Any
    embedder: QueryEmbedder
    settings: RetrievalSettings
    denied: Callable[[], Denied]
    visible_sources: Collection[str]
    reranker: Reranker | None = None

    def passages(self, question: str, *, k: int | None = None, sources: Sequence[str] | None = None) -> list[Hit]:
        """What a prompt is given: the best `k` distinct passages, and the neighbours of each that `settings` ask for.

        Neighbours are passages of their own, beside the one that brought them: see `with_neighbours`.
        """
        return self.widened(self.retrieve(question, k=k, sources=sources, distinct=True))

    def widened(self, hits: Sequence[Hit]) -> list[Hit]:
        """`hits` with the neighbours of each that `settings` ask for."""
        # They are of the same documents, so whoever may see a passage may see its neighbours.
        return with_neighbours(
            self.table, hits, distance=self.settings.neighbours, most_tokens=self.settings.neighbour_tokens
        )

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
            reranker=self.reranker,
        )
        if not distinct:
            return hits
        first = {hit.text: hit for hit in reversed(hits)}
        return [hit for hit in hits if first[hit.text] is hit][: settings.k]


def make_reranker(settings: RetrievalSettings, embedding: EmbeddingSettings) -> Reranker | None:
    """What `settings.reranker` names; None for "none". Raises `WeightsError` where its model is not installed.

    It reads in the precision that the embedded model embeds in, or in the default one beside another model.
    """
    if settings.reranker == "none":
        return None
    from rag_assets.models.embedded.late_interaction import LateInteraction

    return LateInteraction(embedding.precision)


def check_built_in(settings: RetrievalSettings, built: RetrievalSettings) -> None:
    """Raises `ConfigurationError` where `settings` differ from `built` in what the full text index was built with.

    A variation of a release cannot change those on the same snapshot: it would measure nothing, and say so to nobody.
    """
    for name in INDEX_SETTINGS:
        wanted, there = getattr(settings, name), getattr(built, name)
        if settings.mode != "vector" and wanted != there:
            raise ConfigurationError(
                f"retrieval.{name} is {wanted!r}, and the full text index of the snapshot was built with {there!r}.",
                fix=f"Put retrieval.{name} into {CONFIG_FILE_NAME} and materialize index_snapshot: it builds the "
                "index anew, and releases nothing.",
            )
