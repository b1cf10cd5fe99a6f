"""Hybrid search over one vector index table: a vector side, a full text side, and their fusion.

Filters (the sources asked for, revoked documents and sources) hold on both sides before anything is ranked. The
figures behind the method and its defaults are in `bench/README.md`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rag_assets.config import RetrievalSettings
from rag_assets.errors import ConfigurationError, QueryError
from rag_assets.store.candidates import Candidates, find_candidates, row_filter
from rag_assets.store.feedback import feedback_vector
from rag_assets.store.full_text import SCANNED_CHARACTERS_MAX, check_query, phrase_scores, query_words
from rag_assets.store.fusion import convex_combination, ranked, reciprocal_rank_fusion
from rag_assets.store.hits import HIT_COLUMNS, Hit, hit_of
from rag_assets.store.holdings import denied_here
from rag_assets.store.reranking import Reranker, reranked

if TYPE_CHECKING:
    from lancedb.table import Table as LanceTable

PHRASE_PASSAGES = 50
"""How many of the best candidates are read for phrases."""


def search(
    handle: LanceTable,
    *,
    query: str,
    vector: np.ndarray | None,
    settings: RetrievalSettings,
    sources: Sequence[str] | None = None,
    denied_documents: Collection[str] = (),
    denied_sources: Collection[str] = (),
    reranker: Reranker | None = None,
) -> list[Hit]:
    """The best `settings.k` passages of the table version that `handle` has open, best first.

    `vector` is the query's vector in the table's embedding space; it is needed unless `settings.mode` is "text".
    `sources` None means all; an empty one finds nothing. Equal scores come in the order of chunk ids. `reranker` is
    needed where `settings` name one, and not asked elsewhere. Raises QueryError for a query with nothing visible in it
    and for a vector that does not fit the table.
    """
    check_query(query)
    unit = _unit_vector(handle, vector) if settings.mode != "text" else None
    terms = query_words(query) if settings.mode != "vector" else []
    if sources is not None and not sources:
        return []
    where = row_filter(sources, denied_here(handle, denied_documents), denied_sources)
    found = find_candidates(handle, unit=unit, terms=terms, where=where, settings=settings)
    scores = _scores(found, unit, terms, settings)
    # A cosine may be below 0: no limit is not a limit of 0.
    least = settings.min_score or float("-inf")
    scores = {chunk_id: score for chunk_id, score in scores.items() if score >= least}
    if settings.reranker != "none":
        scores = _reranked(found, scores, query, reranker, settings)
    best = ranked(scores)[: settings.k]
    cosines = {} if unit is None else found.cosines(unit)
    return [
        hit_of(
            row,
            score=scores[row["chunk_id"]],
            vector_score=cosines.get(row["chunk_id"]),
            text_score=found.bm25.get(row["chunk_id"]),
        )
        for row in _rows(handle, {chunk_id: found.row_ids[chunk_id] for chunk_id in best})
    ]


def _scores(
    found: Candidates, unit: np.ndarray | None, terms: list[str], settings: RetrievalSettings
) -> dict[str, float]:
    if unit is None:
        return found.bm25
    if settings.mode == "vector":
        return found.near
    if settings.fusion == "rrf":
        return reciprocal_rank_fusion([found.near, found.bm25], k=settings.rrf_k)
    return _convex(found, unit, terms, settings)


def _convex(found: Candidates, unit: np.ndarray, terms: list[str], settings: RetrievalSettings) -> dict[str, float]:
    """Cosine and BM25, then phrases among the best, then the same again with the vector moved by feedback."""
    weight = settings.vector_weight
    scores = convex_combination(found.cosines(unit), found.bm25, vector_weight=weight)
    phrases: dict[str, float] = {}
    if settings.phrase_weight > 0.0:
        phrases = phrase_scores(terms, {key: found.bodies[key] for key in ranked(scores)[:PHRASE_PASSAGES]})

    def with_phrases(cosines: dict[str, float]) -> dict[str, float]:
        return convex_combination(
            cosines, found.bm25, vector_weight=weight, phrases=phrases, phrase_weight=settings.phrase_weight
        )

    scores = with_phrases(found.cosines(unit))
    if not scores or settings.feedback_weight == 0.0:
        return scores
    return with_phrases(found.cosines(feedback_vector(unit, found.vectors, scores, weight=settings.feedback_weight)))


def _reranked(
    found: Candidates, scores: dict[str, float], query: str, reranker: Reranker | None, settings: RetrievalSettings
) -> dict[str, float]:
    if reranker is None:
        raise ConfigurationError(
            f"retrieval.reranker is {settings.reranker}, and the search was given none.",
            fix="Search through rag_assets.project, which makes it, or set retrieval.reranker: none.",
        )
    if settings.mode == "text":
        # BM25 has no scale of its own; in proportion to the query's best it is in [0, 1], like the reranker's scores.
        best = max(scores.values(), default=0.0) or 1.0
        scores = {chunk_id: score / best for chunk_id, score in scores.items()}
    return reranked(scores, query[:SCANNED_CHARACTERS_MAX], found.bodies, reranker, settings)


def _rows(handle: LanceTable, row_ids: dict[str, int]) -> list[dict[str, Any]]:
    """The rows of these chunks, in the order given."""
    if not row_ids:
        return []
    rows = handle.take_row_ids(list(row_ids.values())).select(HIT_COLUMNS).to_arrow().to_pylist()
    by_chunk = {row["chunk_id"]: row for row in rows}
    return [by_chunk[chunk_id] for chunk_id in row_ids]


def _unit_vector(handle: LanceTable, vector: np.ndarray | None) -> np.ndarray:
    if vector is None:
        raise QueryError("The query has no vector, and the retrieval mode needs one.", fix="Set retrieval.mode: text.")
    dimension = handle.schema.field("vector").type.list_size
    unit = np.asarray(vector, dtype=np.float32).reshape(-1)
    if unit.size != dimension:
        raise QueryError(
            f"The query's vector has {unit.size} dimensions and the table {handle.name} has {dimension}.",
            fix="Embed the query with the model that the index was built with.",
        )
    length = float(np.linalg.norm(unit))
    if not np.isfinite(length) or length == 0.0:
        raise QueryError("The query's vector is zero or not finite.", fix="Check the embedding model's answer.")
    return unit / np.float32(length)
