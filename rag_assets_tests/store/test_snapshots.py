from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rag_assets.errors import StoreError
from rag_assets.store.maintenance import optimize
from rag_assets_tests.store.rows import DIMENSION, index_rows, open_store


def ids(handle: Any) -> list[str]:
    return sorted(handle.search().select(["chunk_id"]).to_arrow()["chunk_id"].to_pylist())


def found(handle: Any, query: str) -> list[str]:
    hits = handle.search(query, query_type="fts", fts_columns="body").select(["chunk_id", "_score"]).to_arrow()
    return sorted(hits["chunk_id"].to_pylist())


def test_a_reader_of_a_pinned_version_sees_exactly_its_rows_whatever_is_written_later(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    table = store.vector_index("generation", DIMENSION)
    table.apply(index_rows(["a", "b", "c"], body="lighthouse"), [])
    table.ensure_indices()
    version = table.version()
    table.pin(version, "snapshot-1")
    before = store.open_at(table.name, version)

    table.apply(index_rows(["a", "d"], body="windmill", row_hash="2"), ["b"])
    latest = table.latest()
    assert latest is not None
    optimize(latest, keep_versions=timedelta(0))
    after = open_store(tmp_path).open_at(table.name, version)

    assert ids(latest) == ["a", "c", "d"]
    for handle in (before, after):
        assert ids(handle) == ["a", "b", "c"]
        assert found(handle, "lighthouse") == ["a", "b", "c"]
        assert found(handle, "windmill") == []
    assert table.pinned() == {"snapshot-1": version}


def test_a_pinned_handle_refuses_writes_and_is_kept(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    table = store.vector_index("generation", DIMENSION)
    for number in range(6):
        table.apply(index_rows([f"k{number}"]), [])
    handle = store.open_at(table.name, 1)
    assert store.open_at(table.name, 1) is handle
    with pytest.raises(ValueError, match="cannot be modified"):
        handle.delete("chunk_id = 'k0'")
    for version in range(2, 7):
        assert ids(store.open_at(table.name, version)) == [f"k{number}" for number in range(version)]
    assert store.open_at(table.name, 1) is not handle
    store.drop(table.name)
    with pytest.raises(StoreError, match="does not exist"):
        store.open_at(table.name, 1)


def test_a_tag_never_moves(tmp_path: Path) -> None:
    table = open_store(tmp_path).vector_index("generation", DIMENSION)
    with pytest.raises(StoreError, match="does not exist"):
        table.pin(1, "snapshot-1")
    table.apply(index_rows(["a"]), [])
    table.apply(index_rows(["b"]), [])
    table.pin(1, "snapshot-1")
    table.pin(1, "snapshot-1")
    assert table.version() == 2
    with pytest.raises(StoreError, match="keeps version 1"):
        table.pin(2, "snapshot-1")
    with pytest.raises(StoreError, match="Version 9"):
        table.pin(9, "snapshot-9")
    table.pin(2, "snapshot-2")
    table.unpin("snapshot-1")
    table.unpin("never there")
    assert table.pinned() == {"snapshot-2": 2}


def test_what_is_gone_is_said(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(StoreError, match="vector_index__generation does not exist"):
        store.open_at("vector_index__generation", 1)
    store.vector_index("generation", DIMENSION).apply(index_rows(["a"]), [])
    with pytest.raises(StoreError, match=r"Version 5 .* cannot be read"):
        store.open_at("vector_index__generation", 5)
