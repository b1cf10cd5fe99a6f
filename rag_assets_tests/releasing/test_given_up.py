"""A document that was given up is neither answered from, nor lost, nor waited for; retrying undoes it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rag_assets.fingerprints import document_id
from rag_assets.ingestion import sync_raw_documents
from rag_assets.ingestion.decisions import drop, retry
from rag_assets.ledger import FailedDocument, Failure
from rag_assets.project import Project
from rag_assets.releasing import answering_documents, take_snapshot
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.releasing.stages import candidate, found_texts, ingest, refresh, release, serving

NO_DOCX = b"PK\x03\x04" + bytes(range(256)) * 8


@pytest.fixture
def cellar(small_project: SmallProject) -> SmallProject:
    """Released with wine in a DOCX, which then was spoilt, and coal; tea is in another source."""
    from docx import Document

    small_project.configure(cellar="", wiki="")
    small_project.write("wiki/tea.md", "# Tea\n\nGreen tea is brewed at eighty degrees.\n")
    small_project.write("cellar/coal.md", "# Coal\n\nAnthracite burns at nine hundred degrees.\n")
    document = Document()
    document.add_paragraph("Riesling is served at ten degrees.")
    document.save(str(small_project.root / "cellar/wine.docx"))
    refresh(small_project)
    small_project.write("cellar/wine.docx", NO_DOCX)
    refresh(small_project)
    return small_project


def give_up(project: Project, failures: Sequence[Failure]) -> None:
    drop("cellar", failures, project.settings.source("cellar"), store=project.store, ledger=project.ledger)


def finds_wine(project: SmallProject) -> bool:
    return any("Riesling" in text for text in found_texts(project, "degrees"))


def test_the_life_of_a_document_that_was_given_up(cellar: SmallProject) -> None:
    assert finds_wine(cellar)  # the version before it was spoilt
    first = serving(cellar)
    with cellar.open() as project:
        failures = project.ledger.failures("cellar")
        [wine] = [failure.document_id for failure in failures]
        assert answering_documents(project.store, project.ledger, [wine, "0" * 32]) == {wine}
        give_up(project, failures)
        assert project.ledger.failures() == []
    assert not finds_wine(cellar)
    with cellar.open() as project:
        ingest(project, "wiki")
    assert refresh_of_what_is_stored(cellar) == first  # it changed nothing, and brings nothing back
    assert not finds_wine(cellar)
    second = refresh(cellar)
    assert second != first
    with cellar.open() as project:
        assert answering_documents(project.store, project.ledger, [wine]) == set()
        assert [one.document_id for one in project.ledger.quarantined()] == [wine]
        retry("cellar", project.ledger.quarantined(), store=project.store, ledger=project.ledger)
    assert refresh(cellar) == second
    with cellar.open() as project:
        assert [(one.attempts, one.state) for one in project.ledger.failures()] == [(2, "failed")]
        give_up(project, project.ledger.failures())
    from docx import Document

    mended = Document()
    mended.add_paragraph("Riesling is served at twelve degrees.")
    mended.save(str(cellar.root / "cellar/wine.docx"))
    assert refresh(cellar) not in (first, second)
    assert finds_wine(cellar)
    with cellar.open() as project:
        assert project.ledger.quarantined() == []


def behind(project: Project) -> tuple[str, ...]:
    """The sources of which a snapshot lacks the newest documents."""
    return take_snapshot(
        project.store,
        project.ledger,
        generation=project.generation,
        sources=project.source_names,
        retrieval=project.settings.retrieval,
    ).behind


def test_no_source_is_behind_for_a_document_that_was_given_up(cellar: SmallProject) -> None:
    gas = cellar.write("cellar/gas.md", "# Gas\n\nIt burns at two thousand degrees.\n")
    key = document_id("cellar", gas.name)
    with cellar.open() as project:
        source, table = project.settings.source("cellar"), project.store.raw_documents("cellar")
        connector, ledger = project.connector("cellar"), project.ledger
        sync_raw_documents("cellar", source, connector=connector, table=table, ledger=ledger)
        ledger.record_failures("cellar", [FailedDocument(gas.name, key, "chunk", "no room", gate="as it is")])
        assert behind(project) == ("cellar",)
        give_up(project, ledger.failures("cellar"))
        assert behind(project) == ()
        retry("cellar", ledger.quarantined("cellar"), store=project.store, ledger=ledger)
        ingest(project, "cellar")
        assert behind(project) == ()
        assert [one.uri for one in ledger.failures()] == ["wine.docx"]


def refresh_of_what_is_stored(small: SmallProject) -> str:
    """A release without looking at any source."""
    with small.open() as project:
        return release(project, candidate(project)).release.release_id
