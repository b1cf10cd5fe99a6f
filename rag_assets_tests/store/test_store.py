from __future__ import annotations

from pathlib import Path

import pytest

from rag_assets.errors import StoreError
from rag_assets.store import Store
from rag_assets_tests.store.rows import DIMENSION, index_rows, open_store


def test_an_object_store_url_is_passed_through_and_locks_stay_local(tmp_path: Path) -> None:
    # This scheme takes the same path through Lance as s3://, gs:// and az:// do.
    url = f"file-object-store://{tmp_path}/bucket"
    store = Store(url, lock_dir=tmp_path / "locks")
    table = store.vector_index("generation", DIMENSION)
    table.apply(index_rows(["a", "b"]), [])
    table.ensure_indices()
    version = table.version()
    table.pin(version, "snapshot-1")
    table.apply(index_rows(["a"], row_hash="2"), ["b"])
    other = Store(url, lock_dir=tmp_path / "locks")
    assert other.vector_index("generation", DIMENSION).count() == 1
    assert other.open_at(table.name, version).count_rows() == 2
    assert other.table_names() == [table.name]
    assert (tmp_path / "locks" / f"{table.name}.lock").exists()


def test_each_source_has_tables_of_its_own(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    names = {
        store.raw_documents("a").name,
        store.raw_documents("b").name,
        store.chunks("a").name,
        store.chunks("b").name,
    }
    assert names == {"raw_documents__a", "raw_documents__b", "chunks__a", "chunks__b"}


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "lancedb").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="lancedb"):
        open_store(tmp_path).vector_index("generation", DIMENSION).apply(index_rows(["a"]), [])
