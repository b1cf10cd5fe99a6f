"""The candidates of a search: what the vector side and the full text side find in one table, before fusion."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rag_assets.config import RetrievalSettings
from rag_assets.store.full_text import body_query, match_query, title_query
from rag_assets.store.sizes import TITLES_ADDED_ROWS, VECTOR_INDEX_ROWS
from rag_assets.store.sql import any_of

if TYPE_CHECKING:
    from lancedb.table import Table as LanceTable

FILTERED_NPROBES_TIMES = 4
"""A filter leaves fewer rows in each partition, and the nearest of them are spread over more: of a hundredth of a
million rows 40 partitions hold .93 of the 10 nearest, 160 .98. Reading those takes a third longer."""
SCANNED_ROWS = 2_000
"""Where a filter leaves no more, all their vectors are compared, which is exact: 8 µs each of 10,000 that are spread
over a million rows."""


@dataclass(slots=True)
class Candidates:
    """Found passages by chunk id.

    `near` has the cosines of the vector side's hits and `bm25` the scores of the text side's. `vectors` and `bodies`
    have all of both sides, so that a passage that only its words found still gets its true cosine; each is empty where
    the settings have no use for it.
    """

    row_ids: dict[str, int] = field(default_factory=dict)
    near: dict[str, float] = field(default_factory=dict)
    bm25: dict[str, float] = field(default_factory=dict)
    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    bodies: dict[str, str] = field(default_factory=dict)

    def add(self, rows: pa.Table) -> dict[int, str]:
        """Takes over rows with `_rowid` and `chunk_id`, and with `vector` and `body` or without; returns the chunk id
        of each row id."""
        ids: list[str] = rows["chunk_id"].to_pylist()
        row_ids: list[int] = rows["_rowid"].to_pylist()
        if "vector" in rows.column_names:
            flat = rows["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
            self.vectors.update(zip(ids, flat.reshape(len(ids), -1), strict=True))
        if "body" in rows.column_names:
            self.bodies.update(zip(ids, rows["body"].to_pylist(), strict=True))
        self.row_ids.update(zip(ids, row_ids, strict=True))
        return dict(zip(row_ids, ids, strict=True))

    def cosines(self, unit: np.ndarray) -> dict[str, float]:
        """The cosine of every candidate to the unit vector `unit`. Stored vectors are unit vectors already."""
        return {chunk_id: float(vector @ unit) for chunk_id, vector in self.vectors.items()}


def find_candidates(
    handle: LanceTable, *, unit: np.ndarray | None, terms: Sequence[str], where: str | None, settings: RetrievalSettings
) -> Candidates:
    """The best rows by `unit` (if not None) and by `terms` (if any) that `where` allows.

    Of each side as many as `settings.candidates`, and as `settings.k` where that is more: one side alone can fill it.
    Where the nearest vectors alone decide, and are found exactly, `settings.k` of them are enough.
    """
    found = Candidates()
    with ThreadPoolExecutor(max_workers=1) as pool:
        # LanceDB releases the interpreter: the two sides run at the same time, and so do titles and the read of rows.
        text = pool.submit(_text_side, handle, terms, where, settings) if terms else None
        near = _vector_side(handle, unit, where, settings) if unit is not None else []
        scores, lack_titles = text.result() if text is not None else ({}, False)
        titles = pool.submit(_title_scores, handle, list(scores), terms, settings) if lack_titles else None
        row_ids = [*dict.fromkeys([*near, *scores])]
        # No rows found is nothing to read, and never all rows, as a query without a condition gives.
        chunk_ids = found.add(_read(handle, row_ids, _columns(unit, settings))) if row_ids else {}
        added = titles.result() if titles is not None else {}
    if unit is not None:
        found.near.update({chunk_ids[row]: float(found.vectors[chunk_ids[row]] @ unit) for row in near})
    found.bm25.update({chunk_ids[row]: score + added.get(row, 0.0) for row, score in scores.items()})
    return found


def row_filter(
    sources: Sequence[str] | None, denied_documents: Collection[str], denied_sources: Collection[str]
) -> str | None:
    """The SQL condition for rows of `sources` (None: any) that are not denied; None when every row may be found."""
    clauses = []
    if sources is not None:
        clauses.append(any_of("source", sources))
    if denied_sources:
        clauses.append(f"NOT ({any_of('source', sorted(denied_sources))})")
    if denied_documents:
        clauses.append(f"NOT ({any_of('document_id', sorted(denied_documents))})")
    return " AND ".join(clauses) or None


def _vector_side(handle: LanceTable, unit: np.ndarray, where: str | None, settings: RetrievalSettings) -> list[int]:
    """The row ids of the nearest, where there is an index by its estimate: the caller reads their vectors anyway."""
    builder = handle.search(unit, vector_column_name="vector").distance_type("cosine")
    if _is_scanned(handle, where):
        alone = settings.mode == "vector" and settings.reranker == "none"
        limit = settings.k if alone else _limit(settings)
        return list(_scored(builder.bypass_vector_index(), where, "_distance", limit))
    builder = builder.nprobes(settings.nprobes * (FILTERED_NPROBES_TIMES if where else 1))
    if settings.refine_factor > 1:
        builder = builder.refine_factor(settings.refine_factor)
    return list(_scored(builder, where, "_distance", _limit(settings)))


def _is_scanned(handle: LanceTable, where: str | None) -> bool:
    """Whether so few rows are asked for that all their vectors are compared."""
    if handle.count_rows() < VECTOR_INDEX_ROWS:
        return True
    return where is not None and bool(handle.count_rows(where) <= SCANNED_ROWS)


def _text_side(
    handle: LanceTable, terms: Sequence[str], where: str | None, settings: RetrievalSettings
) -> tuple[dict[int, float], bool]:
    """The best rows by their words: row id → score; and whether the scores of their titles are still to be added."""
    limit = _limit(settings)
    if settings.title_weight > 0.0 and handle.count_rows() >= TITLES_ADDED_ROWS:
        by_body = _scored(handle.search(body_query(terms), query_type="fts"), where, "_score", limit)
        if len(by_body) == limit:
            return by_body, True
        # Few rows have these words, or none: then the sum over all of them takes no longer, and titles can add rows.
    builder = handle.search(match_query(terms, title_weight=settings.title_weight), query_type="fts")
    return _scored(builder, where, "_score", limit), False


def _title_scores(
    handle: LanceTable, rows: list[int], terms: Sequence[str], settings: RetrievalSettings
) -> dict[int, float]:
    """Row id → weighted BM25 of the title, for those of `rows` whose title has one of the words."""
    builder = handle.search(title_query(terms, settings.title_weight), query_type="fts")
    return _scored(builder, f"_rowid IN ({', '.join(map(str, rows))})", "_score", len(rows))


def _limit(settings: RetrievalSettings) -> int:
    return max(settings.candidates, settings.k)


def _scored(builder: Any, where: str | None, score: str, limit: int) -> dict[int, float]:
    """Row id → score, best first. Columns of rows are read later, once for both sides."""
    if where:
        # Before ranking, so that a row which may not be seen cannot take the place of one that may.
        builder = builder.where(where, prefilter=True)
    # The score is selected by name: LanceDB warns on stderr at every query that leaves it out.
    rows = builder.with_row_id(True).select([score]).limit(limit).to_arrow()
    return dict(zip(rows["_rowid"].to_pylist(), rows[score].to_pylist(), strict=True))


def _columns(unit: np.ndarray | None, settings: RetrievalSettings) -> list[str]:
    """What of the candidates the settings have a use for."""
    by_words = settings.mode == "hybrid" and settings.fusion == "convex" and settings.phrase_weight > 0.0
    bodies = by_words or settings.reranker != "none"
    return ["chunk_id", *(["vector"] if unit is not None else []), *(["body"] if bodies else [])]


def _read(handle: LanceTable, row_ids: list[int], columns: list[str]) -> pa.Table:
    return handle.take_row_ids(row_ids).with_row_id().select(columns).to_arrow()
