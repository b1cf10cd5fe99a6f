"""Hybrid search over one vector index table: a vector side, a full text side, and their fusion.

Filters (the sources asked for, revoked documents and sources) hold on both sides before anything is ranked, so a
filtered row can neither be returned nor take the place of another.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rag_assets.config import RetrievalSettings
from rag_assets.errors import QueryError
from rag_assets.store.full_text import check_query, match_query, words
from rag_assets.store.fusion import convex_combination, ranked, reciprocal_rank_fusion

if TYPE_CHECKING:
    from lancedb.table import Table as LanceTable

HIT_COLUMNS = [
    "chunk_id",
    "document_id",
    "source",
    "uri",
    "title",
    "heading_path",
    "page",
    "text",
    "ordinal",
    "start_offset",
    "end_offset",
    "document_hash",
]


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage found. `score` is the fused one; `vector_score` is the cosine, `text_score` the BM25.

    A side's score is None where that side was not asked or did not find the passage.
    """

    chunk_id: str
    document_id: str
    source: str
    uri: str
    title: str
    heading_path: tuple[str, ...]
    page: int | None
    text: str
    ordinal: int
    start_offset: int
    end_offset: int
    document_hash: str
    score: float
    vector_score: float | None
    text_score: float | None


def search(
    handle: LanceTable,
    *,
    query: str,
    vector: np.ndarray | None,
    settings: RetrievalSettings,
    sources: Sequence[str] | None = None,
    denied_documents: Collection[str] = (),
    denied_sources: Collection[str] = (),
) -> list[Hit]:
    """The best `settings.k` passages of the table version that `handle` has open, best first.

    `vector` is the query's unit vector in the table's embedding space; it is needed unless `settings.mode` is "text".
    `sources` None means all; an empty one finds nothing. Equal scores come in the order of chunk ids.
    Raises QueryError for a query with nothing visible in it and for a vector that does not fit the table.
    """
    check_query(query)
    vector_wanted, text_wanted = settings.mode != "text", settings.mode != "vector"
    unit = _unit_vector(handle, vector) if vector_wanted else None
    if sources is not None and not sources:
        return []
    where = _where(sources, denied_documents, denied_sources)
    terms = words(query) if text_wanted else []

    vector_side, text_side = _both_sides(handle, unit, terms, where, settings)
    row_ids = vector_side.row_ids | text_side.row_ids
    if settings.mode == "hybrid" and settings.fusion == "convex":
        # Text hits carry their vectors, so no passage counts 0 for a cosine that can be had.
        scores = convex_combination(
            text_side.cosines | vector_side.scores, text_side.scores, vector_weight=settings.vector_weight
        )
    elif settings.mode == "hybrid":
        scores = reciprocal_rank_fusion([vector_side.scores, text_side.scores], k=settings.rrf_k)
    else:
        scores = vector_side.scores or text_side.scores
    best = [chunk_id for chunk_id in ranked(scores)[: settings.k] if scores[chunk_id] >= settings.min_score]
    cosines = text_side.cosines | vector_side.scores
    rows = _rows(handle, {chunk_id: row_ids[chunk_id] for chunk_id in best})
    return [_hit(row, scores, cosines, text_side.scores) for row in rows]


@dataclass(frozen=True, slots=True)
class _Side:
    """What one side found: scores and row ids by chunk id, and the cosines of text hits."""

    scores: dict[str, float]
    row_ids: dict[str, int]
    cosines: dict[str, float]


_NOTHING = _Side({}, {}, {})


def _both_sides(
    handle: LanceTable, unit: np.ndarray | None, terms: list[str], where: str | None, settings: RetrievalSettings
) -> tuple[_Side, _Side]:
    if unit is None or not terms:
        return (
            _NOTHING if unit is None else _vector_side(handle, unit, where, settings),
            _text_side(handle, terms, unit, where, settings) if terms else _NOTHING,
        )
    with ThreadPoolExecutor(max_workers=1) as pool:
        text = pool.submit(_text_side, handle, terms, unit, where, settings)
        return _vector_side(handle, unit, where, settings), text.result()


def _vector_side(handle: LanceTable, unit: np.ndarray, where: str | None, settings: RetrievalSettings) -> _Side:
    builder = handle.search(unit, vector_column_name="vector").distance_type("cosine")
    if where:
        builder = builder.where(where, prefilter=True)
    found = builder.with_row_id(True).select(["chunk_id", "_distance"]).limit(settings.candidates).to_arrow()
    ids = found["chunk_id"].to_pylist()
    scores = {chunk_id: 1.0 - distance for chunk_id, distance in zip(ids, found["_distance"].to_pylist(), strict=True)}
    return _Side(scores, dict(zip(ids, found["_rowid"].to_pylist(), strict=True)), {})


def _text_side(
    handle: LanceTable, terms: list[str], unit: np.ndarray | None, where: str | None, settings: RetrievalSettings
) -> _Side:
    builder = handle.search(match_query(terms, title_weight=0.0), query_type="fts")
    if where:
        builder = builder.where(where, prefilter=True)
    columns = ["chunk_id", "_score"] + (["vector"] if unit is not None else [])
    found = builder.with_row_id(True).select(columns).limit(settings.candidates).to_arrow()
    ids = found["chunk_id"].to_pylist()
    scores = dict(zip(ids, found["_score"].to_pylist(), strict=True))
    cosines: dict[str, float] = {}
    if unit is not None and ids:
        cosines = dict(zip(ids, (_matrix(found["vector"]) @ unit).tolist(), strict=True))
    return _Side(scores, dict(zip(ids, found["_rowid"].to_pylist(), strict=True)), cosines)


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, dtype=np.float32).reshape(len(column), -1)


def _rows(handle: LanceTable, row_ids: dict[str, int]) -> list[dict[str, Any]]:
    """The rows of these chunks, in the order given."""
    if not row_ids:
        return []
    found = handle.take_row_ids(list(row_ids.values())).select(HIT_COLUMNS).to_arrow().to_pylist()
    by_id = {row["chunk_id"]: row for row in found}
    return [by_id[chunk_id] for chunk_id in row_ids]


def _hit(row: dict[str, Any], scores: dict[str, float], cosines: dict[str, float], bm25: dict[str, float]) -> Hit:
    chunk_id = str(row["chunk_id"])
    fields = row | {"heading_path": tuple(row["heading_path"] or ())}
    return Hit(
        **fields,
        score=scores[chunk_id],
        vector_score=cosines.get(chunk_id),
        text_score=bm25.get(chunk_id),
    )


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


def _where(
    sources: Sequence[str] | None, denied_documents: Collection[str], denied_sources: Collection[str]
) -> str | None:
    clauses = []
    if sources is not None:
        clauses.append(f"source IN ({_literals(sources)})")
    if denied_sources:
        clauses.append(f"source NOT IN ({_literals(denied_sources)})")
    if denied_documents:
        clauses.append(f"document_id NOT IN ({_literals(denied_documents)})")
    return " AND ".join(clauses) or None


def _literals(values: Collection[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in sorted(set(values)))
