"""A source or a document that is in trouble is in trouble alone, and nothing of it is lost without a person's word."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import dagster as dg
import pytest

from rag_assets.assets import sync_partitions
from rag_assets.automation.runs import run_job
from rag_assets.definitions import defs
from rag_assets.ledger import FailedDocument
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import found_texts, ingest, serving

NOTES = {
    name: f"# {name.title()}\n\nThe {name} is kept in drawer {n}.\n"
    for n, name in enumerate(("fork", "ladle", "whisk"))
}
WINE = "# Wine\n\nThe Riesling is stored at eleven degrees.\n"
GARBAGE_PDF = b"%PDF-1.7\n" + bytes(range(256)) * 8
GARBAGE_DOCX = b"PK\x03\x04 this is no Word file"
EVALUATION = dg.DagsterEventType.ASSET_CHECK_EVALUATION
ALL = {"kitchen/fork.md", "kitchen/ladle.md", "kitchen/whisk.md", "cellar/wine.md"}


@pytest.fixture
def house(small_project: SmallProject) -> SmallProject:
    """Two sources, `kitchen` with three documents and `cellar` with one, released."""
    small_project.configure(cellar="", kitchen="")
    for name, text in NOTES.items():
        small_project.write(f"kitchen/{name}.md", text)
    small_project.write("cellar/wine.md", WINE)
    assert [run.error for run in ingest(small_project).runs] == [None, None, None]
    return small_project


def uris(project: SmallProject, query: str = "drawer Riesling") -> set[str]:
    """The documents that a search finds."""
    with project.open() as opened:
        return {f"{hit.source}/{hit.uri}" for hit in opened.search(query, k=20)[1]}


def indexed_sources(project: SmallProject) -> set[str]:
    """The sources that have rows in the index."""
    with project.open() as opened:
        generation = opened.generation
        index = opened.store.vector_index(generation.id, generation.space.dimension)
        return set(index.rows(["source"])["source"].to_pylist())


def test_a_source_that_lost_most_of_its_documents_is_held_until_a_person_agrees(house: SmallProject) -> None:
    before, versions = serving(house), house.lance_versions()
    (house.root / "kitchen/fork.md").unlink()
    (house.root / "kitchen/ladle.md").unlink()
    outcome = ingest(house)
    assert str(outcome.sources["kitchen"].error) == (
        "Source 'kitchen' is held: 2 of 3 documents are gone at once (limit: 50%); nothing was changed. "
        "Is its folder there and mounted? If the removal is right, run: "
        "rag-assets ingest --source kitchen --confirm-removals"
    )
    assert outcome.sources["cellar"].succeeded
    assert (serving(house), house.lance_versions(), uris(house)) == (before, versions, ALL)
    with house.open() as project:
        project.ledger.confirm_hold("kitchen")
    assert [run.error for run in ingest(house).runs] == [None, None, None]
    assert uris(house) == {"kitchen/whisk.md", "cellar/wine.md"}
    with house.open() as project:
        assert project.ledger.holds() == []


def test_what_was_agreed_to_is_exactly_what_is_removed(house: SmallProject) -> None:
    for name in ("fork", "ladle"):
        (house.root / f"kitchen/{name}.md").unlink()
    ingest(house)
    with house.open() as project:
        project.ledger.confirm_hold("kitchen")
    (house.root / "kitchen/whisk.md").unlink()
    error = ingest(house).sources["kitchen"].error
    assert error is not None
    assert "3 of 3 documents are gone at once" in error
    assert uris(house) == ALL


def test_a_hold_ends_when_the_documents_come_back(house: SmallProject) -> None:
    folder, away = house.root / "kitchen", house.root / "away"
    folder.rename(away)
    folder.mkdir()
    assert not ingest(house).sources["kitchen"].succeeded
    folder.rmdir()
    away.rename(folder)
    assert ingest(house).sources["kitchen"].succeeded
    with house.open() as project:
        assert project.ledger.holds() == []
    assert uris(house) == ALL


def test_a_missing_root_fails_its_source_alone_and_the_others_are_released(house: SmallProject) -> None:
    before = serving(house)
    shutil.rmtree(house.root / "kitchen")
    house.write("cellar/wine.md", WINE.replace("eleven", "twelve"))
    outcome = ingest(house)
    error = outcome.sources["kitchen"].error
    assert error is not None
    assert "kitchen" in error
    assert "does not exist" in error
    assert outcome.sources["cellar"].succeeded
    assert outcome.release is not None
    assert outcome.release.succeeded
    assert serving(house) != before
    assert uris(house) == ALL
    assert any("twelve degrees" in text for text in found_texts(house, "Riesling"))


def test_a_source_out_of_the_configuration_is_not_answered_from_at_once(house: SmallProject) -> None:
    before = serving(house)
    house.configure(kitchen="")
    assert uris(house) == ALL - {"cellar/wine.md"}
    with house.open() as project:
        assert not project.ask("At how many degrees is the Riesling stored?").answerable
    assert serving(house) == before
    assert indexed_sources(house) == {"kitchen", "cellar"}
    ingest(house)
    assert indexed_sources(house) == {"kitchen"}
    assert serving(house) != before
    assert house.instance.get_dynamic_partitions("sources") == ["kitchen"]
    with house.open() as project:
        assert project.ledger.denied().sources == frozenset({"cellar"})
    paid = house.embedded_texts()
    house.configure(cellar="", kitchen="")
    ingest(house)
    assert uris(house) == ALL
    assert serving(house) == before
    assert house.embedded_texts() == paid + 1  # the question of the search


def test_a_partition_that_the_configuration_does_not_know_fails_clearly(house: SmallProject) -> None:
    house.instance.add_dynamic_partitions("sources", ["attic"])
    outcome = run_job(house.instance, defs.resolve_job_def("ingest_source"), "attic", partition_key="attic")
    assert str(outcome.error).startswith("There is no source named 'attic'; configured sources: cellar, kitchen.")
    assert outcome.materialized == {}
    failures = house.instance.all_logs(outcome.run_id, of_type=dg.DagsterEventType.STEP_UP_FOR_RETRY)
    assert failures == []
    with house.open() as project:
        sync_partitions(house.instance, project)
    assert sorted(house.instance.get_dynamic_partitions("sources")) == ["cellar", "kitchen"]


@pytest.mark.slow
def test_documents_that_cannot_be_read_do_not_stop_the_others(house: SmallProject) -> None:
    house.write("kitchen/broken.pdf", GARBAGE_PDF)
    house.write("kitchen/broken.docx", GARBAGE_DOCX)
    house.write("kitchen/whisk.md", NOTES["whisk"].replace("drawer", "bucket"))
    for opened in (3, 0):  # unchanged, those that failed are not opened again, and they still count
        outcome = ingest(house)
        assert [run.error for run in outcome.runs] == [None, None, None]
        documents = outcome.sources["kitchen"].materialized["raw_documents"]
        assert (documents["documents_failed"], documents["documents_opened"]) == (2, opened)
        with house.open() as project:
            failures = {failure.uri: failure for failure in project.ledger.failures("kitchen")}
        assert failures.keys() == {"broken.pdf", "broken.docx"}
        for uri, failure in failures.items():
            assert (failure.stage, failure.attempts) == ("parse", 1)
            assert uri in failure.error
            assert "\n" not in failure.error
    assert any("bucket" in text for text in found_texts(house, "whisk"))
    logged = house.instance.all_logs(outcome.sources["kitchen"].run_id, of_type=EVALUATION)
    data = [event.get_dagster_event().asset_check_evaluation_data for event in logged]
    shown = next(check for check in data if check.check_name == "failed_documents")
    assert (shown.passed, shown.severity) == (False, dg.AssetCheckSeverity.WARN)
    (house.root / "kitchen/broken.docx").unlink()
    house.write("kitchen/broken.pdf", NOTES["fork"])  # still no PDF
    ingest(house)
    with house.open() as project:
        assert [(failure.uri, failure.attempts) for failure in project.ledger.failures()] == [("broken.pdf", 2)]


@pytest.mark.slow
def test_an_edit_that_spoils_a_document_leaves_its_earlier_text_served(house: SmallProject) -> None:
    from docx import Document

    document = Document()
    document.add_paragraph("The kettle is kept in drawer nine.")
    document.save(str(house.root / "kitchen/kettle.docx"))
    ingest(house)
    before = serving(house)
    house.write("kitchen/kettle.docx", GARBAGE_DOCX)
    assert [run.error for run in ingest(house).runs] == [None, None, None]
    assert serving(house) == before
    assert any("drawer nine" in text for text in found_texts(house, "kettle"))


def test_a_failure_of_any_stage_ends_when_its_document_goes(house: SmallProject) -> None:
    with house.open() as project:
        for stage in ("load", "parse", "chunk", "embed"):
            project.ledger.record_failures(
                "kitchen", [FailedDocument(f"{stage}.md", "0" * 32, stage, "cannot be used")]
            )
    ingest(house)
    with house.open() as project:
        assert project.ledger.failures() == []


def test_a_source_without_any_text_says_what_is_missing(small_project: SmallProject) -> None:
    small_project.configure(empty="")
    small_project.write("empty/blank.md", " \n\n")
    outcome = ingest(small_project)
    assert outcome.sources["empty"].succeeded
    assert outcome.release is not None
    assert outcome.release.error == (
        "Nothing is indexed yet: no source has given a text. See what each source has with: rag-assets sources validate"
    )


@pytest.mark.slow
def test_the_last_document_of_all_can_go_and_come_back(small_project: SmallProject) -> None:
    small_project.configure(cellar="max_removed_fraction: 1.0")
    wine = small_project.write("cellar/wine.md", WINE)
    ingest(small_project)
    first = serving(small_project)
    wine.unlink()
    assert [run.error for run in ingest(small_project).runs] == [None, None]
    assert serving(small_project) != first
    assert uris(small_project) == set()
    small_project.write("cellar/wine.md", WINE)
    assert [run.error for run in ingest(small_project).runs] == [None, None]
    assert (serving(small_project), uris(small_project)) == (first, {"cellar/wine.md"})


def test_file_names_of_any_bytes(small_project: SmallProject) -> None:
    small_project.configure(cellar="")
    for name in (b"caf\xe9.md", b"new\nline.md", b"esc\x1b[31m.md", "\U0001f377.md".encode(), b"it's; --.md"):
        path = os.fsencode(small_project.root / "cellar") + b"/" + name
        Path(os.fsdecode(path)).write_text(WINE, "utf-8")
    assert [run.error for run in ingest(small_project).runs] == [None, None]
    with small_project.open() as project:
        assert project.store.raw_documents("cellar").count() == 5
        assert project.ledger.failures() == []
    assert len(uris(small_project)) == 5


def test_a_new_chunking_of_some_sources_alone_is_not_released(house: SmallProject) -> None:
    before = serving(house)
    house.configure("chunking: {max_tokens: 100}", cellar="", kitchen="")
    outcome = ingest(house, "kitchen")
    assert outcome.release is not None
    assert str(outcome.release.error) == "The check 'completeness' failed: 1 documents that answer now would be lost"
    assert (serving(house), uris(house)) == (before, ALL)
    assert [run.error for run in ingest(house).runs] == [None, None, None]
    assert serving(house) != before
    assert uris(house) == ALL


def test_chunks_larger_than_the_model_reads_are_refused_before_anything_is_cut(house: SmallProject) -> None:
    before = serving(house)
    house.configure("chunking: {max_tokens: 500}", cellar="", kitchen="")
    outcome = ingest(house)
    assert all("reads at most 256 tokens" in str(run.error) for run in outcome.sources.values())
    assert serving(house) == before
