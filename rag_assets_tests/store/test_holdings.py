from __future__ import annotations

from pathlib import Path

from rag_assets.config import RetrievalSettings
from rag_assets.fingerprints import document_id
from rag_assets.store import search
from rag_assets.store.holdings import SHORT_LIST, denied_here, held_documents
from rag_assets_tests.store.searching import Index, axis, names, row

GONE = {document_id("garden", f"left long ago {number}") for number in range(SHORT_LIST + 1)}


def test_a_long_list_becomes_what_the_version_has(tmp_path: Path) -> None:
    index = Index(tmp_path)
    first = index.write([row("a", "water", axis(0)), row("b", "water", axis(0))])
    own = document_id("garden", "a")
    assert held_documents(first) == {own, document_id("garden", "b")}
    assert set(denied_here(first, GONE | {own})) == {own}
    assert set(denied_here(first, GONE)) == set()
    short = list(GONE)[:SHORT_LIST]
    assert denied_here(first, short) is short

    second = index.write([row("c", "water", axis(0))])
    assert document_id("garden", "c") in held_documents(second)
    assert document_id("garden", "c") not in held_documents(first)


def test_a_handle_that_moves_on_is_read_again(tmp_path: Path) -> None:
    index = Index(tmp_path)
    index.write([row("a", "water", axis(0))])
    version = index.table.version()
    index.write([row("b", "water", axis(0))])
    handle = index.open(version)
    assert len(held_documents(handle)) == 1
    handle.checkout_latest()
    assert len(held_documents(handle)) == 2


def test_what_a_long_list_denies_is_not_found_from_the_next_search_on(tmp_path: Path) -> None:
    handle = Index(tmp_path).write([row(name, "water", axis(0)) for name in ("a", "b", "c")])
    denied = set(GONE)
    for name, left in (("b", ["a", "c"]), ("a", ["c"]), ("c", [])):
        denied.add(document_id("garden", name))
        for mode in ("hybrid", "vector", "text"):
            settings = RetrievalSettings(mode=mode)
            hits = search(handle, query="water", vector=axis(0), settings=settings, denied_documents=denied)
            assert names(hits) == left
