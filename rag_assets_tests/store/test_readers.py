"""A version that a reader has open stays, however old it is and whatever is pruned, until the reader is gone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from rag_assets.errors import StoreError
from rag_assets.store import IndexTable
from rag_assets.store.maintenance import compact, table_state
from rag_assets.store.readers import Readers
from rag_assets_tests.store.rows import DIMENSION, index_rows, open_store

READER = """
import sys
from pathlib import Path
from rag_assets_tests.store.rows import open_store
handle = open_store(Path(sys.argv[1])).open_at(sys.argv[2], int(sys.argv[3]))
print("open", flush=True)
for _ in sys.stdin:
    print(handle.search().select(["chunk_id"]).to_arrow()["chunk_id"].to_pylist(), flush=True)
"""


@contextmanager
def reader(folder: Path, table: IndexTable, version: int) -> Iterator[subprocess.Popen[str]]:
    """Another process that has that version open, and says its rows for every line it is sent."""
    command = [sys.executable, "-c", READER, str(folder), table.name, str(version)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        try:
            yield process
        finally:
            process.kill()


def rows_of(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def versions_of(table: IndexTable) -> set[int]:
    handle = table.latest()
    assert handle is not None
    return {int(entry["version"]) for entry in handle.list_versions()}


@pytest.fixture
def table(tmp_path: Path) -> IndexTable:
    """Three versions with rows a; a, b; and c alone, of which the first is pinned."""
    table = open_store(tmp_path).vector_index("generation", DIMENSION)
    table.apply(index_rows(["a"]), [])
    table.pin(1, "snapshot-1")
    table.apply(index_rows(["b"]), [])
    table.apply(index_rows(["c"]), ["a", "b"])
    return table


@pytest.mark.parametrize("killed", [False, True])
def test_a_version_that_another_process_reads_stays_until_that_is_gone(
    tmp_path: Path, table: IndexTable, killed: bool
) -> None:
    with reader(tmp_path, table, 2) as process:
        assert table.versions_read() == {2}
        compact(table, keep_versions=timedelta(0))
        assert {1, 2} <= versions_of(table)
        assert rows_of(process) == "['a', 'b']"
        compact(table, keep_versions=timedelta(0))
        assert rows_of(process) == "['a', 'b']"
        if killed:
            process.kill()
        else:
            assert process.stdin is not None
            process.stdin.close()
        process.wait()
        assert table.versions_read() == frozenset()
        compact(table, keep_versions=timedelta(0))
    assert 2 not in versions_of(table)
    assert table.rows(["chunk_id"], version=1)["chunk_id"].to_pylist() == ["a"]  # the pin keeps what is older
    assert table.rows(["chunk_id"])["chunk_id"].to_pylist() == ["c"]


def test_what_no_version_refers_to_leaves_the_disk(tmp_path: Path, table: IndexTable) -> None:
    table.apply(index_rows([f"k{number}" for number in range(2_000)]), [])
    table.apply(None, [f"k{number}" for number in range(2_000)])
    compact(table, keep_versions=timedelta(0))
    smaller = table_state(table)
    assert smaller is not None
    assert smaller.disk_bytes is not None
    table.unpin("snapshot-1")
    stray = tmp_path / "lancedb" / f"{table.name}.lance" / "data" / "of-a-write-that-died.lance"
    stray.write_bytes(b"0" * 1_000_000)
    result = compact(table, keep_versions=timedelta(0))
    assert result.before is not None
    assert result.after is not None
    assert result.before.disk_bytes == pytest.approx(smaller.disk_bytes + 1_000_000, rel=0.2)
    assert result.after.disk_bytes is not None
    assert result.after.disk_bytes <= smaller.disk_bytes
    assert not stray.exists()


def test_a_reader_that_comes_after_the_pin_went_is_refused(tmp_path: Path, table: IndexTable) -> None:
    store = open_store(tmp_path)
    assert store.open_at(table.name, 1, tag="snapshot-1") is not None
    table.unpin("snapshot-1")
    with pytest.raises(StoreError, match="no longer kept"):
        open_store(tmp_path).open_at(table.name, 1, tag="snapshot-1")


def test_a_lock_is_as_good_as_its_handle_and_leaves_no_file(tmp_path: Path) -> None:
    class Handle:
        """Anything that can be referred to weakly."""

    readers = Readers(tmp_path / "readers")
    assert readers.versions("t") == frozenset()
    first, second, other = Handle(), Handle(), Handle()
    readers.hold(first, "t", 3)
    readers.hold(second, "t", 3)
    readers.hold(other, "t-2", 4)
    assert readers.versions("t") == {3}
    assert readers.versions("t-2") == {4}
    del first
    assert readers.versions("t") == {3}
    del second
    assert readers.versions("t") == frozenset()
    assert [path.name for path in (tmp_path / "readers").iterdir()] == ["t-2@4.lock"]


def test_reading_needs_no_folder_that_can_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("in the way of the folder")
    readers = Readers(blocked / "readers")
    readers.hold(readers, "t", 1)
    assert readers.versions("t") == frozenset()
