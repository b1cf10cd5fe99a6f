"""From an answer to the bytes of the file and back, through the real jobs."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from rag_assets.assets.stage_runs import links_of_release, links_of_snapshot
from rag_assets.documents.parsing import parse
from rag_assets.errors import QueryError
from rag_assets.fingerprints import document_id
from rag_assets.lineage import AnswerTrace, ChunkTrace, DocumentTrace, VersionTrace, trace
from rag_assets.releasing import prune
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import ingest

TEA = "# Tea\n\n## Brewing\n\nGreen tea is brewed at {degrees} degrees.\n\n## Storing\n\nKeep tea dry and dark.\n"
COAL = "# Coal\n\nAnthracite burns at nine hundred degrees.\n"
QUESTION = "At how many degrees is green tea brewed?"


@pytest.fixture
def project(small_project: SmallProject) -> SmallProject:
    small_project.configure(wiki="", cellar="")
    small_project.write("wiki/tea.md", TEA.format(degrees="eighty"))
    small_project.write("wiki/milk.md", "# Milk\n\nMilk is heated slowly.\n")
    small_project.write("cellar/coal.md", COAL)
    assert [run.error for run in ingest(small_project).runs] == [None] * 3
    return small_project


def ask(project: SmallProject, question: str = QUESTION) -> str:
    with project.open() as opened:
        answer = opened.ask(question)
    assert answer.answerable
    return answer.answer_id


def of_answer(project: SmallProject, answer_id: str) -> AnswerTrace:
    with project.open() as opened:
        found = trace(opened, answer_id)
    assert isinstance(found, AnswerTrace)
    return found


def of_document(project: SmallProject, uri: str) -> DocumentTrace:
    with project.open() as opened:
        found = trace(opened, uri)
    assert isinstance(found, DocumentTrace)
    return found


def cited(found: AnswerTrace, uri: str = "tea.md") -> tuple[ChunkTrace, VersionTrace]:
    chunk = next(one.chunk for one in found.citations if one.chunk.uri == uri)
    assert chunk.version is not None
    return chunk, chunk.version


def brew(project: SmallProject, degrees: str) -> None:
    project.write("wiki/tea.md", TEA.format(degrees=degrees))
    assert all(run.succeeded for run in ingest(project).runs)


def test_from_an_answer_to_the_bytes_of_the_file_and_back(project: SmallProject) -> None:
    answer_id = ask(project)
    found = of_answer(project, answer_id)
    chunk, version = cited(found)
    citation = next(one for one in found.citations if one.chunk is chunk)

    data = (project.root / "wiki/tea.md").read_bytes()
    assert version.content_hash == hashlib.sha256(data).hexdigest()
    assert version.file.state == "unchanged"
    document = parse(data, "tea.md", language=None)
    assert document.parser == version.parser
    assert document.text[chunk.start_offset : chunk.end_offset] == chunk.text
    assert citation.quote_found and citation.quote in document.text
    assert citation.quote.encode() in data

    upward = of_document(project, "wiki/tea.md")
    assert upward.stored_hash == version.document_hash
    assert [one.document_hash for one in upward.versions] == [version.document_hash]
    assert upward.versions[0].content_hash == hashlib.sha256(data).hexdigest()
    assert chunk.chunk_id in [one["chunk_id"] for one in upward.chunks]
    (answer,) = upward.answers
    assert (answer["answer_id"], answer["release"]) == (answer_id, found.release.release_id)
    assert chunk.chunk_id in answer["chunk_ids"]
    assert upward.versions[0].releases == (found.release.release_id,)


def test_every_run_of_the_chain_is_a_run_of_the_instance(project: SmallProject) -> None:
    release = of_answer(project, ask(project)).release
    _, version = cited(of_answer(project, ask(project)))
    stages = {stage.asset: stage for stage in release.snapshot.stages}
    assert stages.keys() == {"raw_documents", "chunks", "embeddings", "vector_index"}
    assert {stage.source for stage in release.snapshot.stages} == {"wiki"}  # only what the answer cites
    assert stages["vector_index"].exact
    assert stages["vector_index"].data_version == release.snapshot.sources["wiki"]
    jobs = {
        run_id: record.job_name
        for run_id in (version.run_id, release.run_id, release.snapshot.run_id, stages["chunks"].run_id)
        if run_id and (record := project.instance.get_run_by_id(run_id))
    }
    assert jobs[str(version.run_id)] == jobs[str(stages["chunks"].run_id)] == "ingest_source"
    assert jobs[str(release.run_id)] == jobs[str(release.snapshot.run_id)] == "release_index"
    with project.open() as opened:
        events = opened.snapshot(release.snapshot.snapshot_id)
        assert str(stages["vector_index"].run_id) in str(links_of_snapshot(opened, events)["source_runs"].value)
        assert links_of_release(opened, events.snapshot_id)["snapshot_run"].value == release.snapshot.run_id
        assert release.snapshot.chunker == opened.generation.chunker
        assert release.snapshot.embedding_space == opened.generation.space.name
    assert release.evaluation_id is not None and release.report is not None


def test_an_answer_keeps_its_version_when_the_file_changes_and_when_it_goes(project: SmallProject) -> None:
    answer_id = ask(project)
    first_bytes = (project.root / "wiki/tea.md").read_bytes()
    brew(project, "ninety")
    chunk, version = cited(of_answer(project, answer_id))
    assert version.content_hash == hashlib.sha256(first_bytes).hexdigest()
    assert version.file.state == "changed"
    assert version.file.sha256 == hashlib.sha256((project.root / "wiki/tea.md").read_bytes()).hexdigest()
    assert "eighty" in str(chunk.text)
    second = of_document(project, "wiki/tea.md")
    assert len(second.versions) == 2
    assert {one.run_id for one in second.versions} != {None}
    assert len({one.run_id for one in second.versions}) == 2

    (project.root / "wiki/tea.md").unlink()
    assert all(run.succeeded for run in ingest(project).runs)
    _, version = cited(of_answer(project, answer_id))
    assert (version.file.state, version.content_hash) == ("gone", hashlib.sha256(first_bytes).hexdigest())
    upward = of_document(project, "wiki/tea.md")
    assert (upward.stored_hash, upward.denied, upward.chunks) == (None, True, ())
    assert [one["answer_id"] for one in upward.answers] == [answer_id]


@pytest.mark.slow
def test_what_was_pruned_is_said_to_be(project: SmallProject) -> None:
    answer_id = ask(project)
    brew(project, "ninety")
    brew(project, "seventy")
    with project.open() as opened:
        prune(opened.store, opened.ledger, keep=1, keep_days=0, now=datetime.now(UTC) + timedelta(days=400))
    found = of_answer(project, answer_id)
    assert not found.release.snapshot.kept
    (citation,) = [one for one in found.citations if one.chunk.uri == "tea.md"]
    assert (citation.chunk.version, citation.chunk.snapshot_id, citation.quote_found) == (None, None, None)
    assert citation.chunk.source == "wiki"


@pytest.mark.slow
def test_a_chunk_that_a_later_release_still_has_is_found_there(project: SmallProject) -> None:
    answer_id = ask(project, "How hot does anthracite burn?")
    brew(project, "ninety")
    brew(project, "seventy")
    with project.open() as opened:
        prune(opened.store, opened.ledger, keep=1, keep_days=0, now=datetime.now(UTC) + timedelta(days=400))
        serving = opened.release().snapshot_id
    found = of_answer(project, answer_id)
    chunk, version = cited(found, "coal.md")
    assert not found.release.snapshot.kept
    assert chunk.snapshot_id == serving
    assert version.content_hash == hashlib.sha256(COAL.encode()).hexdigest()


def test_a_chunk_is_traced_by_its_id(project: SmallProject) -> None:
    chunk, version = cited(of_answer(project, ask(project)))
    with project.open() as opened:
        found = trace(opened, chunk.chunk_id)
        assert isinstance(found, ChunkTrace)
        assert found.text == chunk.text
        assert found.version == version
        assert found.release is not None
        assert found.release.release_id == opened.release().release_id


def test_a_name_that_two_sources_have_must_be_told_apart(project: SmallProject) -> None:
    project.write("cellar/tea.md", TEA.format(degrees="ten"))
    ingest(project, "cellar", release=False)
    with project.open() as opened:
        with pytest.raises(QueryError, match="the name of 2 documents") as refused:
            trace(opened, "tea.md")
        assert "cellar/tea.md, wiki/tea.md" in refused.value.fix
        assert isinstance(trace(opened, "milk.md"), DocumentTrace)
        for unknown in ("nothing.md", "wiki/nothing.md", "0" * 32, "", "\udcff\0", "'; DROP TABLE x"):
            with pytest.raises(QueryError, match="There is no answer, chunk, training file, tuned model or document"):
                trace(opened, unknown)


def test_documents_of_a_source_that_is_gone_are_traced_too(project: SmallProject) -> None:
    answer_id = ask(project, "How hot does anthracite burn?")
    project.configure(wiki="")
    with project.open() as opened:
        opened.forget_source("cellar")
    upward = of_document(project, "cellar/coal.md")
    assert upward.denied
    assert upward.file.state == "unknown" and "cellar" in upward.file.note
    assert [one["answer_id"] for one in upward.answers] == [answer_id]
    _, version = cited(of_answer(project, answer_id), "coal.md")
    assert version.content_hash == hashlib.sha256(COAL.encode()).hexdigest()


@pytest.mark.slow
def test_a_store_that_never_recorded_origins_says_so_and_the_next_run_fills_them(project: SmallProject) -> None:
    answer_id = ask(project)
    with project.open() as opened:
        opened.ledger.forget_document_versions(opened.ledger.document_version_keys())
        assert opened.ledger.document_version_keys() == set()
    _, version = cited(of_answer(project, answer_id))
    assert (version.content_hash, version.parser, version.run_id) == (None, None, None)
    assert version.file.state == "unknown" and version.file.sha256
    ingest(project, "wiki", release=False)
    _, version = cited(of_answer(project, answer_id))
    assert version.file.state == "unchanged"
    assert version.run_id is None  # the run that read it is not known any more
    with project.open() as opened:
        assert len(opened.ledger.document_version_keys("wiki")) == 2
        assert opened.ledger.document_version_keys("cellar") == set()


@pytest.mark.slow
def test_a_document_released_before_origins_were_recorded_is_traced_by_its_address(project: SmallProject) -> None:
    with project.open() as opened:
        opened.ledger.forget_document_versions(opened.ledger.document_version_keys())
        first = opened.release().release_id
    (project.root / "wiki/tea.md").unlink()
    assert all(run.succeeded for run in ingest(project).runs)
    with project.open() as opened:
        opened.ledger.forget_document_versions(opened.ledger.document_version_keys())
        assert opened.ledger.denied().documents == {document_id("wiki", "tea.md")}
    for address in ("wiki/tea.md", "tea.md"):
        found = of_document(project, address)
        assert (found.stored_hash, found.denied, found.file.state) == (None, True, "gone")
        (version,) = found.versions
        assert (version.content_hash, version.releases) == (None, (first,))

    with project.open() as opened:  # the kept snapshot alone knows it
        opened.ledger.allow([document_id("wiki", "tea.md")])
    assert [one.releases for one in of_document(project, "wiki/tea.md").versions] == [(first,)]

    project.write("wiki/milk.md", "# Milk\n\nMilk is cooled quickly.\n")
    assert all(run.succeeded for run in ingest(project).runs)
    with project.open() as opened:  # the deny-list alone knows it
        prune(opened.store, opened.ledger, keep=1, keep_days=0, now=datetime.now(UTC) + timedelta(days=400))
        opened.ledger.deny_documents("wiki", [(document_id("wiki", "tea.md"), "tea.md")], "revoked")
    found = of_document(project, "wiki/tea.md")
    assert (found.denied, found.versions) == (True, ())
