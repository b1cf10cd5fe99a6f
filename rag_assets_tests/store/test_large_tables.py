"""A table with a vector index: through it where many rows are asked for, past it where a filter leaves few."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag_assets.store import candidates, search
from rag_assets.store import index as index_module
from rag_assets_tests.store.searching import DIMENSION, Index, row, settings

ROWS = 1_200
FEW = settings(k=10, mode="vector", nprobes=1, candidates=10)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    made = np.random.default_rng(7).normal(size=(ROWS, DIMENSION)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


@pytest.fixture(scope="module")
def handle(vectors: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Rows of two sources, by turns."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(index_module, "VECTOR_INDEX_ROWS", ROWS)
        sources = ("garden", "kitchen")
        rows = [row(f"{at:04}", "", vectors[at], source=sources[at % 2]) for at in range(ROWS)]
        opened = Index(Path(tmp_path_factory.mktemp("large"))).write(rows)
        assert any(one.columns == ["vector"] for one in opened.list_indices())
        return opened


def nearest(vectors: np.ndarray, question: np.ndarray, *, step: int) -> set[str]:
    """The ten nearest of every `step`-th row, by comparing all of them."""
    order = np.argsort(-(vectors[::step] @ question))[:10]
    return {f"chunk-{at * step:04}" for at in order}


def found(handle: Any, question: np.ndarray, **narrowed: Any) -> set[str]:
    return {hit.chunk_id for hit in search(handle, query="x", vector=question, settings=FEW, **narrowed)}


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "VECTOR_INDEX_ROWS", ROWS)


@pytest.mark.usefixtures("large")
def test_a_filter_that_leaves_few_rows_is_answered_exactly(handle: Any, vectors: np.ndarray) -> None:
    for question in vectors[:30]:
        assert found(handle, question, sources=["garden"]) == nearest(vectors, question, step=2)


@pytest.mark.usefixtures("large")
def test_without_a_filter_the_index_is_asked(handle: Any, vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    through_index = [found(handle, question) for question in vectors[:30]]
    exact = [nearest(vectors, question, step=1) for question in vectors[:30]]
    assert through_index != exact  # one partition of several cannot hold all
    monkeypatch.setattr(candidates, "SCANNED_ROWS", 0)
    filtered = [found(handle, question, sources=["garden", "kitchen"]) for question in vectors[:30]]
    hits = [sum(len(a & b) for a, b in zip(sets, exact, strict=True)) for sets in (through_index, filtered)]
    assert hits[1] >= hits[0]  # more partitions are read under a filter


def test_a_table_that_is_not_large_is_compared_as_a_whole(handle: Any, vectors: np.ndarray) -> None:
    for question in vectors[:30]:
        assert found(handle, question) == nearest(vectors, question, step=1)
