"""Any text is a question: what looks like syntax is only words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rag_assets.errors import QueryError
from rag_assets.store import search
from rag_assets_tests.store.searching import DIMENSION, axis, settings, small_index


@pytest.fixture(scope="module")
def handle(tmp_path_factory) -> Any:
    return small_index(tmp_path_factory.mktemp("search"))


HOSTILE = [
    '"unclosed "quotes',
    "[a:b]{c}(d AND (e OR",
    "body:water~2^3 +pump -tank *",
    "'; DROP TABLE chunks; --",
    "title:\\",
    "😀 🚰",
    "wa\0ter",
    "\ud800 water \udfff",
    "the of and is",
    "水 井 泵",
    "water " * 200_000,
    "x" * 1_000_000,
]


@pytest.mark.parametrize("changes", [{}, {"fusion": "rrf"}, {"mode": "text"}, {"mode": "vector"}])
@pytest.mark.parametrize("query", HOSTILE, ids=lambda query: ascii(query[:20]))
def test_hostile_queries_find_or_find_nothing(handle, query, changes):
    hits = search(handle, query=query, vector=axis(0), settings=settings(**changes))
    assert changes == {"mode": "text"} or hits[0].chunk_id == "chunk-pumps"


@pytest.mark.parametrize(
    ("query", "vector", "problem"),
    [
        ("", axis(0), "empty"),
        ("water", None, "no vector"),
        ("water", np.ones(3), "3 dimensions"),
        ("water", np.zeros(DIMENSION), "zero or not finite"),
        ("water", np.full(DIMENSION, np.nan), "zero or not finite"),
    ],
)
def test_what_cannot_be_searched_for_is_one_clear_error(handle, query, vector, problem):
    with pytest.raises(QueryError, match=problem):
        search(handle, query=query, vector=vector, settings=settings())
