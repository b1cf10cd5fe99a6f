from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from rag_assets.store import Table
from rag_assets.store.maintenance import compact, table_state
from rag_assets_tests.store.rows import DIMENSION, index_rows, open_store


def versions_of(table: Table) -> list[int]:
    handle = table.latest()
    assert handle is not None
    return [entry["version"] for entry in handle.list_versions()]


def test_a_table_that_was_never_written_has_no_state(tmp_path: Path) -> None:
    table = open_store(tmp_path).chunks("docs")
    assert table_state(table) is None
    assert compact(table).after is None


def test_compaction_merges_fragments_and_completes_the_indices(tmp_path: Path) -> None:
    table = open_store(tmp_path).vector_index("generation", DIMENSION)
    table.apply(index_rows(["a"]), [])
    table.ensure_indices()
    for number in range(5):
        table.apply(index_rows([f"k{number}"]), [])
    result = compact(table)
    assert result.before is not None
    assert result.after is not None
    assert (result.before.rows, result.before.fragments, result.before.unindexed_rows) == (6, 6, 5)
    assert (result.after.rows, result.after.fragments, result.after.unindexed_rows) == (6, 2, 0)
    assert result.after.data_bytes > 0
    assert result.after.versions > result.before.versions  # none is old enough to go


def test_old_versions_go_and_pinned_ones_stay(tmp_path: Path) -> None:
    table = open_store(tmp_path).vector_index("generation", DIMENSION)
    first, second, pinned, fourth = (table.apply(index_rows([key]), []).version for key in ("a", "b", "c", "d"))
    table.pin(pinned, "snapshot-1")
    compact(table, keep_versions=timedelta(0))
    kept = versions_of(table)
    assert not {first, second} & set(kept)
    assert pinned in kept
    assert table.rows(["chunk_id"], version=pinned).num_rows == 3

    table.unpin("snapshot-1")
    compact(table, keep_versions=timedelta(0))
    assert not {pinned, fourth} & set(versions_of(table))
    assert sorted(table.rows()["chunk_id"].to_pylist()) == ["a", "b", "c", "d"]


def test_versions_that_may_be_read_still_are_kept(tmp_path: Path) -> None:
    table = open_store(tmp_path).vector_index("generation", DIMENSION)
    versions = [table.apply(index_rows([key]), []).version for key in ("a", "b", "c")]
    compact(table)
    assert set(versions) <= set(versions_of(table))
