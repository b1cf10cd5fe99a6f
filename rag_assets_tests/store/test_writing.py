"""Rows that come as a stream, rows found by their keys, and keys as columns."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from rag_assets.errors import WriteVerificationError
from rag_assets.ingestion import partial_documents
from rag_assets.store import writing
from rag_assets.store.keys import keys_of
from rag_assets_tests.store.rows import DIMENSION, index_rows, open_store


def test_a_stream_is_written_in_bounded_commits_and_each_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "COMMIT_ROWS", 40)
    table = open_store(tmp_path).vector_index("generation", DIMENSION)
    keys = [f"k{number:03}" for number in range(100)]
    batches = (batch for start in range(0, 100, 20) for batch in index_rows(keys[start : start + 20]).to_batches())
    result = table.append(batches)
    assert (result.inserted, result.commits, table.count()) == (100, 3, 100)
    assert table.rows(["chunk_id"])["chunk_id"].to_pylist() == keys
    assert table.append([]).commits == 0


def test_a_key_that_comes_twice_in_a_stream_is_noticed(tmp_path: Path) -> None:
    table = open_store(tmp_path).vector_index("generation", DIMENSION)
    table.apply(index_rows(["a"]), [])
    with pytest.raises(WriteVerificationError, match="rows that were just written"):
        table.append(pa.concat_tables([index_rows(["b"]), index_rows(["b"])]).to_batches())


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_rows_are_located_by_scan_and_by_look_up_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr("rag_assets.store.located.LOOKED_UP_SHARE", share)
    table = open_store(tmp_path).vector_index("generation", DIMENSION)
    assert table.locate(keys_of(["a"])) is None
    for key in ("c", "a", "b"):
        table.apply(index_rows([key]), [])
    found = table.locate(keys_of(["a", "absent", "b", "a"]))
    assert found is not None
    assert found.places.is_null().to_pylist() == [False, True, False, False]
    rows = found.read(found.places.drop_null(), ["text", "chunk_id"])
    assert rows.column_names == ["text", "chunk_id"]
    assert rows["chunk_id"].to_pylist() == ["a", "b", "a"]


def test_a_document_must_be_there_in_one_version_whole_and_once() -> None:
    rows = [
        ("whole", "v1", 0, 2),
        ("whole", "v1", 1, 2),
        ("short", "v1", 0, 2),
        ("mixed", "v1", 0, 1),
        ("mixed", "v2", 0, 1),
        ("twice", "v1", 0, 2),
        ("twice", "v1", 0, 2),
        ("long", "v1", 0, 1),
        ("long", "v1", 1, 1),
        ("shifted", "v1", 1, 1),
    ]
    names = ["document_id", "document_hash", "ordinal", "document_chunks"]
    wrong = partial_documents(pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows]))
    assert wrong == {
        "short": "1 of 2 chunks",
        "mixed": "rows of 2 versions",
        "twice": "2 of 2 chunks",
        "long": "2 of 1 chunks",
        "shifted": "1 of 1 chunks",
    }
