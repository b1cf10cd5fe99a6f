"""A file becomes a cited answer, through the real jobs; a second run does nothing; an edit costs what changed."""

from __future__ import annotations

import dagster as dg
import pytest

from rag_assets.documents.model import Document
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import found_texts, ingest, serving

LIMITS = """# Limits

A request may hold at most ninety-six items.

## Timeouts

The gateway gives up after forty seconds.
"""
COOKING = "# Bread\n\nRye bread needs a sourdough starter that is fed twice a day.\n"


@pytest.fixture
def wiki(small_project: SmallProject) -> SmallProject:
    small_project.configure(wiki="")
    small_project.write("wiki/limits.md", LIMITS)
    small_project.write("wiki/bread.md", COOKING)
    return small_project


def test_a_file_becomes_a_cited_answer(wiki: SmallProject) -> None:
    outcome = ingest(wiki)
    assert [run.error for run in outcome.runs] == [None, None]
    with wiki.open() as project:
        answer = project.ask("How long does the gateway wait before it gives up?")
        assert answer.answerable
        assert "forty seconds" in answer.answer
        assert [(c.source, c.uri) for c in answer.citations] == [("wiki", "limits.md")]
        recorded = project.ledger.answer(answer.answer_id)
        assert recorded is not None and recorded.release_id == answer.release == serving(wiki)
        asked = project.ledger.usage(answer_id=answer.answer_id)
        assert {row.operation for row in asked} == {"embedding", "chat"}


def test_every_asset_is_materialized_once_per_run_with_a_data_version(wiki: SmallProject) -> None:
    outcome = ingest(wiki)
    for name in ("raw_documents", "chunks", "embeddings", "vector_index"):
        events = wiki.instance.fetch_materializations(dg.AssetKey(name), limit=10).records
        assert [(event.partition_key, event.run_id) for event in events] == [("wiki", outcome.sources["wiki"].run_id)]
    for name in ("index_snapshot", "release"):
        assert len(wiki.instance.fetch_materializations(dg.AssetKey(name), limit=10).records) == 1


def test_long_work_tells_how_far_it_is(wiki: SmallProject, caplog: pytest.LogCaptureFixture) -> None:
    from rag_assets.cli.output import PROGRESS_LOGGER

    with caplog.at_level("INFO", logger=PROGRESS_LOGGER):
        ingest(wiki)
    said = [record.getMessage() for record in caplog.records if record.name == PROGRESS_LOGGER]
    assert said == ["wiki: 2 of 2 documents", "wiki: 2 of 2 documents", "wiki: 2 of 2 inputs", "wiki: 2 of 2 rows"]


def test_a_second_run_embeds_nothing_commits_nothing_and_releases_nothing(wiki: SmallProject) -> None:
    ingest(wiki)
    before = (wiki.embedded_texts(), wiki.lance_versions(), serving(wiki), data_versions(wiki))
    outcome = ingest(wiki)
    assert all(run.succeeded for run in outcome.runs)
    assert (wiki.embedded_texts(), wiki.lance_versions(), serving(wiki), data_versions(wiki)) == before
    with wiki.open() as project:
        assert len(project.ledger.releases()) == 1
        assert len(project.ledger.serving_history()) == 1


def test_an_edit_embeds_only_the_chunk_it_touched(wiki: SmallProject) -> None:
    ingest(wiki)
    before = wiki.embedded_texts()
    wiki.write("wiki/limits.md", LIMITS.replace("forty", "fifty"))
    ingest(wiki)
    assert wiki.embedded_texts() - before == 1
    assert any("fifty seconds" in text for text in found_texts(wiki, "gateway timeout"))
    assert not any("forty seconds" in text for text in found_texts(wiki, "gateway timeout"))


def test_a_file_that_was_only_touched_is_not_parsed_again(wiki: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    from rag_assets.documents.parsing import parse

    ingest(wiki)
    versions, release = data_versions(wiki), serving(wiki)
    parsed: list[str] = []

    def counting(data: bytes, uri: str, *, language: str | None = None) -> Document:
        parsed.append(uri)
        return parse(data, uri, language=language)

    monkeypatch.setattr("rag_assets.documents.rows.parse", counting)
    (wiki.root / "wiki/bread.md").touch()
    outcome = ingest(wiki)
    made = outcome.sources["wiki"].materialized["raw_documents"]
    assert (made["documents_opened"], made["documents_changed"], parsed) == (1, 0, [])
    assert (data_versions(wiki), serving(wiki)) == (versions, release)
    assert ingest(wiki).sources["wiki"].materialized["raw_documents"]["documents_opened"] == 0


def test_an_edit_back_and_forth_ends_where_it_began_and_pays_nothing(wiki: SmallProject) -> None:
    ingest(wiki)
    first, versions = serving(wiki), data_versions(wiki)
    wiki.write("wiki/limits.md", LIMITS.replace("forty", "fifty"))
    ingest(wiki)
    assert serving(wiki) != first
    paid = wiki.embedded_texts()
    wiki.write("wiki/limits.md", LIMITS)
    ingest(wiki)
    assert wiki.embedded_texts() == paid
    assert data_versions(wiki) == versions
    assert serving(wiki) == first
    assert any("forty seconds" in text for text in found_texts(wiki, "gateway timeout"))


def test_a_deleted_file_is_not_answered_from_even_before_the_release(wiki: SmallProject) -> None:
    ingest(wiki)
    (wiki.root / "wiki/bread.md").unlink()
    ingest(wiki, release=False)
    assert not any("sourdough" in text for text in found_texts(wiki, "sourdough rye bread"))
    ingest(wiki)
    assert not any("sourdough" in text for text in found_texts(wiki, "sourdough rye bread"))
    with wiki.open() as project:
        generation = project.generation
        index = project.store.vector_index(generation.id, generation.space.dimension)
        assert {row["uri"] for row in index.rows(["uri"]).to_pylist()} == {"limits.md"}


def test_a_file_that_comes_back_is_answered_from_again(wiki: SmallProject) -> None:
    ingest(wiki)
    (wiki.root / "wiki/bread.md").unlink()
    ingest(wiki)
    wiki.write("wiki/bread.md", COOKING)
    ingest(wiki)
    assert any("sourdough" in text for text in found_texts(wiki, "sourdough rye bread"))
    with wiki.open() as project:
        assert project.ledger.denied().documents == frozenset()


def test_two_files_with_the_same_content_are_both_kept_and_one_can_go(wiki: SmallProject) -> None:
    wiki.write("wiki/copy.md", COOKING)
    ingest(wiki)
    with wiki.open() as project:
        hits = project.search("sourdough", k=10)[1]
    assert {hit.uri for hit in hits if "sourdough" in hit.text} == {"bread.md", "copy.md"}
    with wiki.open() as project, project.pipeline() as pipeline:
        passages = pipeline.retriever.retrieve("sourdough", k=4, distinct=True)
    assert len({hit.text for hit in passages}) == len(passages)
    (wiki.root / "wiki/copy.md").unlink()
    ingest(wiki)
    with wiki.open() as project:
        hits = project.search("sourdough", k=10)[1]
    assert {hit.uri for hit in hits if "sourdough" in hit.text} == {"bread.md"}


def test_a_source_for_some_is_answered_from_for_these_alone(wiki: SmallProject) -> None:
    ingest(wiki)
    wiki.configure(wiki="allowed_groups: [bakers]")
    with wiki.open() as project:  # at once: before any run has seen the new setting
        assert project.search("sourdough")[1] == []
        assert not project.ask("What does rye bread need?").answerable
        assert project.search("sourdough", groups=["bakers", "others"])[1]
        assert project.search("sourdough", groups=["others"])[1] == []


def data_versions(project: SmallProject) -> dict[str, str | None]:
    """The newest data version of every asset."""
    versions = {}
    for name in ("raw_documents", "chunks", "embeddings", "vector_index", "index_snapshot", "release"):
        record = project.instance.fetch_materializations(dg.AssetKey(name), limit=1).records[0]
        materialization = record.asset_materialization
        assert materialization is not None and materialization.tags is not None
        versions[name] = materialization.tags.get("dagster/data_version")
    return versions
