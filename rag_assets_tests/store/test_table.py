from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rag_assets import schemas
from rag_assets.errors import StoreError, WriteVerificationError
from rag_assets.store import Store, Table, sql_literal
from rag_assets.store import table as table_module
from rag_assets.store.table import Place
from rag_assets_tests.store.rows import (
    AWKWARD,
    DIMENSION,
    document_rows,
    embedding_rows,
    index_rows,
    open_store,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path)


def lance(store: Store, table: Table) -> Any:
    """The table as LanceDB itself sees it, opened anew."""
    import lancedb

    return lancedb.connect(store.uri).open_table(table.name)


def test_a_table_that_was_never_written_reads_as_empty_and_leaves_no_file(store: Store, tmp_path: Path) -> None:
    table = store.chunks("docs")
    assert not table.exists()
    assert (table.version(), table.count(), table.unindexed_rows(), table.ensure_indices()) == (0, 0, 0, False)
    assert table.rows().equals(schemas.CHUNKS.empty_table())
    assert table.lookup(["a"], ["chunk_id"]).num_rows == 0
    assert table.head(3, ["chunk_id"]).num_rows == 0
    assert list(table.batches()) == []
    nothing = table.apply(None, ["a"])
    assert (nothing.commits, nothing.version) == (0, 0)
    assert table.apply(schemas.CHUNKS.empty_table(), []).commits == 0
    assert store.table_names() == []
    assert not list(tmp_path.rglob("*.lance"))


@pytest.mark.parametrize("rows", [document_rows(["a", "b"]), embedding_rows(["a", "b"]), index_rows(["a", "b"])])
def test_rows_come_back_as_they_were_written(store: Store, rows: pa.Table) -> None:
    by_schema = {
        schemas.RAW_DOCUMENTS: store.raw_documents("docs"),
        schemas.embeddings(DIMENSION): store.embeddings("space", DIMENSION),
        schemas.vector_index(DIMENSION): store.vector_index("generation", DIMENSION),
    }
    table = by_schema[rows.schema]
    result = table.apply(rows, [])
    assert (result.inserted, result.updated, result.deleted, result.commits, result.version) == (2, 0, 0, 1, 1)
    assert table.rows().combine_chunks().equals(rows)
    assert lance(store, table).schema.equals(rows.schema)
    assert table.rows(columns=[table.key]).column_names == [table.key]


def test_only_the_difference_is_written_and_equal_rows_commit_nothing(store: Store) -> None:
    table = store.vector_index("generation", DIMENSION)
    table.apply(index_rows(["a", "b", "c", "d"]), [])
    changed = pa.concat_tables([index_rows(["a", "e"], row_hash="2"), index_rows(["b"])])
    result = table.apply(changed, ["c", "not there"])
    assert (result.inserted, result.updated, result.deleted, result.commits) == (1, 1, 1, 2)
    handle = lance(store, table)
    assert handle.version == result.version == 3
    hashes = {row["chunk_id"]: row["row_hash"] for row in handle.to_arrow().to_pylist()}
    assert hashes == {"a": "2", "b": "1", "d": "1", "e": "2"}
    again = table.apply(changed, ["c", "not there"])
    assert (again.inserted, again.updated, again.deleted, again.commits) == (0, 0, 0, 0)
    assert lance(store, table).version == 3


def test_a_touched_document_is_written_for_its_fingerprint_alone(store: Store) -> None:
    table = store.raw_documents("docs")
    table.apply(document_rows(["a", "b"]), [])
    assert table.apply(document_rows(["a", "b"], fingerprint="g"), []).updated == 2
    assert set(table.rows()["fingerprint"].to_pylist()) == {"g"}


def test_a_stored_vector_is_never_replaced(store: Store) -> None:
    table = store.embeddings("space", DIMENSION)
    table.apply(embedding_rows(["a", "b"]), [])
    result = table.apply(embedding_rows(["b", "c"], value=2.0), [])
    assert (result.inserted, result.updated, result.commits) == (1, 0, 1)
    assert {row["input_hash"]: row["vector"][0] for row in table.rows().to_pylist()} == {"a": 1.0, "b": 1.0, "c": 2.0}
    assert table.apply(embedding_rows(["a", "b", "c"], value=3.0), []).commits == 0


def test_values_cannot_end_a_filter_early(store: Store) -> None:
    table = store.vector_index("generation", DIMENSION)
    keys = [AWKWARD, "' OR 'a'='a", "\\'", "''", "plain"]
    table.apply(index_rows(keys), [])
    for key in keys:
        assert table.lookup([key], ["chunk_id"])["chunk_id"].to_pylist() == [key]
        assert table.count(f"chunk_id = {sql_literal(key)}") == 1
    assert table.apply(None, keys[:4]).deleted == 4
    assert table.rows()["chunk_id"].to_pylist() == ["plain"]


def test_more_keys_than_one_filter_takes(store: Store) -> None:
    table = store.embeddings("space", DIMENSION)
    keys = [f"{number:05}" for number in range(2_500)]
    table.apply(embedding_rows(keys), [])
    found = table.lookup([*keys[::2], "absent"], ["input_hash"])["input_hash"].to_pylist()
    assert sorted(found) == keys[::2]
    assert [batch.num_rows for batch in table.batches(["input_hash"])] == [1024, 1024, 452]
    assert table.apply(None, keys[1:]).deleted == 2_499
    assert table.count() == 1


def test_a_key_comes_once(store: Store) -> None:
    table = store.vector_index("generation", DIMENSION)
    with pytest.raises(StoreError, match="repeat a key"):
        table.apply(pa.concat_tables([index_rows(["a"]), index_rows(["a"])]), [])
    with pytest.raises(StoreError, match="written and removed"):
        table.apply(index_rows(["a"]), ["a"])
    assert not table.exists()


def test_a_key_that_another_program_wrote_twice_is_mended(store: Store) -> None:
    table = store.vector_index("generation", DIMENSION)
    table.apply(index_rows(["a", "b", "c"]), [])
    lance(store, table).add(index_rows(["a", "b"]))
    result = table.apply(index_rows(["a", "c"]), ["b"])
    assert (result.inserted, result.updated, result.deleted) == (1, 0, 1)
    assert sorted(table.rows()["chunk_id"].to_pylist()) == ["a", "c"]


@pytest.mark.parametrize("rows", [index_rows(["a"]), index_rows(["a", "b"], row_hash="another")])
def test_a_storage_that_keeps_something_else_is_noticed(store: Store, rows: pa.Table) -> None:
    import lancedb

    def keep_other_rows(_: pa.RecordBatchReader) -> Any:
        return lancedb.connect(store.uri).create_table("t", rows)

    place = Place("t", open=lambda: None, create=keep_other_rows, lock=nullcontext)
    table = Table(place, rows.schema, key="chunk_id", state=("row_hash",))
    with pytest.raises(WriteVerificationError, match="t h"):
        table.apply(index_rows(["a", "b"]), [])


def test_updates_land_after_an_optimize_with_a_key_index(store: Store) -> None:
    # lancedb #3177: the merge then reported 0 updated rows.
    table = store.vector_index("generation", DIMENSION)
    keys = [f"k{number}" for number in range(300)]
    table.apply(index_rows(keys), [])
    table.ensure_indices()
    table.apply(index_rows([f"n{number}" for number in range(30)]), [])
    lance(store, table).optimize()
    result = table.apply(index_rows([*keys[:20], "m"], row_hash="2"), keys[290:])
    assert (result.inserted, result.updated, result.deleted) == (1, 20, 10)
    assert table.count("row_hash = '2'") == 21
    assert table.count() == 321


def test_a_table_of_another_schema_is_refused_with_the_mend(store: Store) -> None:
    store.vector_index("generation", DIMENSION).apply(index_rows(["a"]), [])
    with pytest.raises(StoreError, match=r"vector differ.*rag-assets reset"):
        store.vector_index("generation", DIMENSION + 1).exists()


def test_old_versions_are_read_as_they_were(store: Store) -> None:
    table = store.vector_index("generation", DIMENSION)
    first = table.apply(index_rows(["a"]), []).version
    table.apply(index_rows(["a", "b"], row_hash="2"), [])
    assert table.rows(["chunk_id", "row_hash"], version=first).to_pylist() == [{"chunk_id": "a", "row_hash": "1"}]
    with pytest.raises(StoreError, match="Version 99"):
        table.rows(version=99)


def test_a_table_that_was_dropped_and_made_again_is_seen(tmp_path: Path) -> None:
    table = open_store(tmp_path).chunks("docs")
    index = open_store(tmp_path).vector_index("generation", DIMENSION)
    index.apply(index_rows(["a"]), [])
    other = open_store(tmp_path)
    other.drop(index.name)
    other.drop(table.name)
    assert not index.exists()
    other.vector_index("generation", DIMENSION).apply(index_rows(["b"]), [])
    assert index.rows(["chunk_id"])["chunk_id"].to_pylist() == ["b"]
    assert other.table_names() == [index.name]


def test_many_small_writes_are_merged_and_keys_get_an_index(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "FRAGMENTS_MAX", 3)
    monkeypatch.setattr(table_module, "KEY_INDEX_ROWS", 5)
    table = store.embeddings("space", DIMENSION)
    for number in range(9):
        table.apply(embedding_rows([f"k{number}"]), [])
    handle = lance(store, table)
    assert handle.stats()["fragment_stats"]["num_fragments"] <= 4
    assert [index.columns for index in handle.list_indices()] == [["input_hash"]]
    assert sorted(table.rows()["input_hash"].to_pylist()) == [f"k{number}" for number in range(9)]
    version = table.version()
    assert not table.ensure_indices()
    assert table.version() == version
