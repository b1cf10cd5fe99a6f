"""What a search gives back for one passage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
    """One passage found.

    `score` ranks the passages of one query and depends on the settings. `vector_score` is the cosine to the question
    and `text_score` the BM25; each is None where its side was not asked, and `text_score` also where the text side did
    not find the passage among its candidates.
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


def hit_of(
    row: Mapping[str, Any], *, score: float, vector_score: float | None = None, text_score: float | None = None
) -> Hit:
    """The hit of a row that has the columns `HIT_COLUMNS`."""
    fields = dict(row) | {"heading_path": tuple(row["heading_path"])}
    return Hit(**fields, score=score, vector_score=vector_score, text_score=text_score)
