"""What a remote source gave is kept, and read again by another parser without fetching anything."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rag_assets.documents.connectors.originals import Originals
from rag_assets.documents.parsing import markdown
from rag_assets.errors import StoreError
from rag_assets.estimating.estimate import estimate
from rag_assets.fingerprints import sha256_hex
from rag_assets.ingestion import sync_raw_documents
from rag_assets.ingestion.fetching import collect_originals
from rag_assets_tests.conftest import SmallProject

DATA = b"What is here was fetched once. " * 90
KEY = sha256_hex(DATA)


def test_gives_what_it_was_given_and_nothing_damaged(tmp_path: Path) -> None:
    originals = Originals(tmp_path / "originals")
    assert originals.get(KEY) is None
    originals.put(KEY, DATA)
    originals.put(KEY, DATA)
    assert originals.get(KEY) == DATA
    [file] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert file.stat().st_size < len(DATA) / 5
    file.write_bytes(file.read_bytes()[:-9])
    assert originals.get(KEY) is None


def test_removes_what_nothing_needs_after_a_day(tmp_path: Path) -> None:
    originals = Originals(tmp_path / "originals")
    other = sha256_hex(b"other")
    originals.put(KEY, DATA)
    originals.put(other, b"other")
    (tmp_path / f"originals/{KEY[:2]}/half.tmp").write_bytes(b"of a run that died")
    assert originals.collect({KEY}) == (0, 0)
    assert originals.collect({KEY}, now=time.time() + 90_000)[0] == 2
    assert (originals.get(KEY), originals.get(other)) == (DATA, None)
    assert Originals(tmp_path / "nowhere").collect(()) == (0, 0)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match=r"cannot be written.*store\.keep_originals"):
        Originals(tmp_path / "file").put(KEY, DATA)


@pytest.fixture
def fetched(small_project: SmallProject, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A source in fsspec's store in memory, with two documents; the names of what is fetched from it."""
    import fsspec
    from fsspec.implementations.memory import MemoryFileSystem

    files: list[str] = []
    cat = MemoryFileSystem.cat_file

    def counted(self: Any, path: str, *arguments: Any, **options: Any) -> Any:
        files.append(path.rpartition("/")[2])
        return cat(self, path, *arguments, **options)

    monkeypatch.setattr(MemoryFileSystem, "cat_file", counted)
    store = fsspec.filesystem("memory")
    store.pipe_file("/attic/a.md", b"# A\n\nApples.\n")
    store.pipe_file("/attic/b.md", b"# B\n\nPears.\n")
    small_project.config_file.write_text("sources: {attic: {path: 'memory://attic'}}\n", "utf-8")
    yield files
    store.rm("/attic", recursive=True)


def sync(project: SmallProject, *, fetch: bool = False, verify: bool = False) -> int:
    """Brings the documents up to date; returns how many rows were written anew by a parser."""
    with project.open() as opened:
        result = sync_raw_documents(
            "attic",
            opened.settings.source("attic"),
            connector=opened.connector("attic", fetch=fetch),
            table=opened.store.raw_documents("attic"),
            ledger=opened.ledger,
            verify_contents=verify,
        )
        return result.added + result.changed


def test_another_parser_fetches_nothing(
    small_project: SmallProject, fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (sync(small_project), fetched) == (2, ["a.md", "b.md"])
    monkeypatch.setattr(markdown, "PARSER", "markdown@99")
    with small_project.open() as opened:
        found = estimate(opened.settings)
    assert (found.total.documents.change, len(fetched)) == (2, 2)
    assert (sync(small_project), len(fetched)) == (2, 2)
    with small_project.open() as opened:
        rows = opened.store.raw_documents("attic").rows(columns=["parser", "text"]).to_pylist()
        assert {row["parser"] for row in rows} == {"markdown@99"}
        assert all("\n" in row["text"] for row in rows)
    assert (sync(small_project, fetch=True, verify=True), fetched[2:]) == (0, ["a.md", "b.md"])


def test_what_changed_or_was_not_kept_is_fetched(
    small_project: SmallProject, fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import fsspec

    sync(small_project)
    monkeypatch.setattr(markdown, "PARSER", "markdown@99")
    fsspec.filesystem("memory").pipe_file("/attic/b.md", b"# B\n\nQuinces.\n")
    assert (sync(small_project), fetched[2:]) == (2, ["b.md"])
    with small_project.open() as opened:
        assert collect_originals(opened.settings, opened.store) == (0, 0)
        for file in (opened.settings.data_path / "originals").rglob("*.zz"):
            file.unlink()
    monkeypatch.setattr(markdown, "PARSER", "markdown@100")
    assert (sync(small_project), fetched[3:]) == (2, ["a.md", "b.md"])


def test_an_estimate_and_a_project_that_keeps_none_leave_nothing(
    small_project: SmallProject, fetched: list[str]
) -> None:
    with small_project.open() as opened:
        assert estimate(opened.settings).total.documents.add == 2
        assert not (opened.settings.data_path / "originals").exists()
    small_project.config_file.write_text(
        "store: {keep_originals: false}\nsources: {attic: {path: 'memory://attic'}}\n", "utf-8"
    )
    sync(small_project)
    with small_project.open() as opened:
        assert not (opened.settings.data_path / "originals").exists()
