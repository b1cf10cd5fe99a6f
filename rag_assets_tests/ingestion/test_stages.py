from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rag_assets.config import ChunkingSettings
from rag_assets.documents.parsing import markdown
from rag_assets.ingestion import loading
from rag_assets_tests.ingestion.source import SPACE, StagedSource, read_or_die

FIRST, SECOND = "The first paragraph of page {0} is long. " * 20, "The second part has words of its own. " * 20
PAGE = f"# Page {{0}}\n\n{FIRST}\n\n## Part\n\n{SECOND}"


@pytest.fixture
def source(tmp_path: Path) -> StagedSource:
    made = StagedSource(tmp_path)
    for number in range(6):
        made.write(f"{number}.md", PAGE.format(number))
    made.write("empty.md", "")
    made.write("notes.txt", "Plain text is a document as well.")
    made.read()
    made.cut()
    return made


def test_an_unchanged_run_opens_nothing_commits_nothing_and_ends_at_the_same_versions(source: StagedSource) -> None:
    first, cut = source.read(), source.cut()
    assert (source.opened, first.commits, cut.commits) == ([], 0, 0)
    assert (first.data_version, cut.data_version) == (source.read().data_version, source.cut().data_version)
    assert (first.why, cut.why) == ("No document changed.", "No document changed since the last chunking.")
    assert (first.rows, first.empty, first.unchanged, cut.documents_rechunked) == (8, 1, 8, 0)


def test_an_edit_opens_one_file_and_keeps_the_ids_of_the_chunks_it_did_not_touch(source: StagedSource) -> None:
    before = source.chunks()
    source.write("3.md", PAGE.format(3).replace("The first paragraph", "Another paragraph"))
    (source.root / "docs" / "4.md").unlink()
    source.write("new.md", PAGE.format("new"))
    read, cut = source.read(), source.cut()
    assert source.opened == ["3.md", "new.md"]
    assert read.why == "Documents: 1 added, 1 changed, 1 removed, 6 unchanged; parser unchanged."
    assert cut.why == "Documents: 1 new, 1 changed, 1 removed, chunker unchanged; 3 new chunks, 3 gone."
    after = source.chunks()
    assert {uri for key, uri in before.items() if key not in after} == {"3.md", "4.md"}
    assert len([key for key, uri in before.items() if uri == "3.md" and key in after]) == 1


def test_a_touched_file_is_opened_and_nothing_else_happens(source: StagedSource) -> None:
    (source.root / "docs" / "3.md").touch()
    version = source.read().data_version
    assert source.opened == ["3.md"]
    assert source.read().data_version == version
    assert (source.opened, source.cut().commits) == ([], 0)
    assert source.read(verify_contents=True).why == "No document changed; 8 opened and found the same."
    assert len(source.opened) == 8


def test_another_parser_opens_its_documents_alone(source: StagedSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "PARSER", "markdown@next")
    read, cut = source.read(), source.cut()
    assert sorted(source.opened) == ["0.md", "1.md", "2.md", "3.md", "4.md", "5.md", "empty.md"]
    assert read.why == "Documents: 7 changed, 1 unchanged; parser changed for 7."
    assert cut.why == "Documents: 6 changed, chunker unchanged; 0 new chunks, 0 gone."


def test_other_settings_of_the_source_change_every_row(source: StagedSource) -> None:
    source.settings["allowed_groups"] = ["hr"]
    assert source.read().why == "Documents: 8 changed, 0 unchanged; settings of the source changed for 8."
    assert source.cut().documents_changed == 7
    assert source.store.chunks("src").count("NOT array_has(allowed_groups, 'hr')") == 0


def test_another_chunking_cuts_every_document_and_opens_none(source: StagedSource) -> None:
    version = source.read().data_version
    parts: list[dict[str, object]] = [
        {"chunker": "blocks@next"},
        {"tokenizer": "another"},
        {"chunking": ChunkingSettings(heading_prefix=False)},
        {"space": replace(SPACE, document_prefix="passage: ")},
    ]
    for part in parts:
        source.with_(**part)
        read, cut = source.read(), source.cut()
        assert (source.opened, read.commits, read.data_version) == ([], 0, version)
        assert (cut.documents_rechunked, cut.documents_outdated, cut.documents_changed) == (7, 7, 0)
        assert cut.why.startswith("Chunker, its settings or the model's tokenizer changed for 7; ")
        assert source.cut().commits == 0


def test_another_model_alone_cuts_nothing(source: StagedSource) -> None:
    source.with_(space=replace(SPACE, model="another", dimension=8))
    assert (source.cut().documents_rechunked, source.cut().commits) == (0, 0)


def test_a_document_that_ends_the_process_that_reads_it_fails_alone(
    source: StagedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "read_documents", read_or_die)
    monkeypatch.setattr(loading, "may_end_the_process", lambda _: True)
    source.write("1.md", "# This makes the parser crash")
    source.write("2.md", PAGE.format("two"))
    read = source.read()
    assert (read.changed, read.failed) == (1, 1)
    [failure] = source.ledger.failures("src")
    assert (failure.uri, failure.stage) == ("1.md", "parse")
    assert failure.error.startswith("1.md ended the process that read it (SIGSEGV).")
    rows = source.store.raw_documents("src").rows(["uri", "title"]).to_pylist()
    assert {row["uri"]: row["title"] for row in rows}["1.md"] == "Page 1"
    assert source.read().opened == 0
