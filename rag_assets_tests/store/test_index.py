from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rag_assets.config import RetrievalSettings
from rag_assets.store import IndexTable
from rag_assets.store import index as index_module
from rag_assets.store.index import STEMMERS, full_text_config
from rag_assets.store.maintenance import compact
from rag_assets_tests.store.rows import DIMENSION, index_rows, open_store


@pytest.fixture
def table(tmp_path: Path) -> IndexTable:
    return open_store(tmp_path).vector_index("generation", DIMENSION)


def lance(table: IndexTable) -> Any:
    handle = table.latest()
    assert handle is not None
    return handle


def words_found(table: IndexTable, query: str) -> list[str]:
    found: list[str] = (
        (lance(table).search(query, query_type="fts", fts_columns="body").select(["chunk_id", "_score"]).limit(100))
        .to_arrow()["chunk_id"]
        .to_pylist()
    )
    return sorted(found)


def details(table: IndexTable) -> dict[str, Any]:
    return {index.columns[0]: index for index in lance(table).list_indices()}


def test_indices_are_made_once(table: IndexTable) -> None:
    table.apply(index_rows(f"k{number}" for number in range(20)), [])
    assert table.ensure_indices()
    made = details(table)
    assert sorted(made) == ["body", "chunk_id", "document_id", "source", "title"]
    version = table.version()
    assert not table.ensure_indices()
    assert table.version() == version
    assert table.unindexed_rows() == 0


def test_rows_written_after_the_index_are_found_before_they_are_in_it(
    table: IndexTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.apply(index_rows(["a"], body="the runner was running"), [])
    table.ensure_indices()
    table.apply(index_rows(["b"], body="several runs"), [])
    version = table.version()
    assert not table.ensure_indices()
    assert (table.version(), table.unindexed_rows()) == (version, 1)
    assert words_found(table, "run") == ["a", "b"]
    vector = index_rows(["b"])["vector"][0].as_py()
    nearest = lance(table).search(vector).distance_type("cosine").select(["chunk_id", "_distance"]).to_arrow()
    assert set(nearest["chunk_id"].to_pylist()) == {"a", "b"}

    monkeypatch.setattr(index_module, "UNINDEXED_ROWS_MAX", 0)
    assert table.ensure_indices()
    assert table.unindexed_rows() == 0
    assert words_found(table, "run") == ["a", "b"]
    assert not table.ensure_indices()


def test_a_removed_row_is_found_no_more(table: IndexTable) -> None:
    table.apply(index_rows(["a", "b"], body="lighthouse"), [])
    table.ensure_indices()
    table.apply(index_rows(["b"], body="windmill", row_hash="2"), ["a"])
    assert words_found(table, "lighthouse") == []
    assert words_found(table, "windmill") == ["b"]


def test_a_large_table_gets_a_vector_index(table: IndexTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "VECTOR_INDEX_ROWS", 600)
    table.apply(index_rows(f"k{number}" for number in range(500)), [])
    table.ensure_indices()
    assert "vector" not in details(table)
    table.apply(index_rows(f"l{number}" for number in range(100)), [])
    assert table.ensure_indices()
    assert details(table)["vector"].index_type == "IvfRq"
    assert not table.ensure_indices()


def test_the_language_of_the_stemmer_can_be_changed(tmp_path: Path) -> None:
    english = open_store(tmp_path).vector_index("generation", DIMENSION)
    english.apply(index_rows(["a"], body="die Häuser der Stadt"), [])
    english.ensure_indices()
    assert words_found(english, "Haus") == []
    german = open_store(tmp_path).vector_index("generation", DIMENSION, retrieval=RetrievalSettings(language="de"))
    assert german.ensure_indices()
    assert words_found(german, "Haus") == ["a"]
    assert not german.ensure_indices()


@pytest.mark.parametrize(
    ("changes", "runs", "the"),
    [({}, ["a", "b"], []), ({"stemming": False}, ["b"], []), ({"stop_words": False}, ["a", "b"], ["a"])],
)
def test_stemming_and_stop_words_can_be_left_out(
    tmp_path: Path, changes: dict[str, Any], runs: list[str], the: list[str]
) -> None:
    retrieval = RetrievalSettings(**changes)
    table = open_store(tmp_path).vector_index("generation", DIMENSION, retrieval=retrieval)
    table.apply(index_rows(["a"], body="the runner was running"), [])
    table.apply(index_rows(["b"], body="several runs"), [])
    table.ensure_indices()
    assert (words_found(table, "runs"), words_found(table, "the")) == (runs, the)
    assert not table.ensure_indices()


def test_a_pinned_version_keeps_the_full_text_index_it_was_pinned_with(tmp_path: Path) -> None:
    def found(version: int) -> int:
        handle = open_store(tmp_path).open_at("vector_index__generation", version)
        return len(handle.search("run", query_type="fts").select(["chunk_id", "_score"]).limit(9).to_list())

    stemmed = open_store(tmp_path).vector_index("generation", DIMENSION)
    stemmed.apply(index_rows(["a"], body="it was running"), [])
    stemmed.ensure_indices()
    stemmed.pin(stemmed.version(), "before")
    whole = RetrievalSettings(stemming=False)
    plain = open_store(tmp_path).vector_index("generation", DIMENSION, retrieval=whole)
    assert plain.ensure_indices()
    compact(plain, keep_versions=timedelta(0))
    assert (found(stemmed.pinned()["before"]), found(plain.version())) == (1, 0)


def test_words_without_spaces_between_them_are_found(tmp_path: Path) -> None:
    table = open_store(tmp_path).vector_index("generation", DIMENSION, retrieval=RetrievalSettings(language="zh"))
    table.apply(index_rows(["a"], body="机器学习模型的训练"), [])
    table.ensure_indices()
    assert words_found(table, "模型") == ["a"]


def test_every_stemmer_is_known_to_lancedb(table: IndexTable) -> None:
    table.apply(index_rows(["a"]), [])
    for code, language in STEMMERS.items():
        lance(table).create_index("body", config=full_text_config(RetrievalSettings(language=code)), replace=True)
        assert details(table)["body"].index_details["language"] == language
