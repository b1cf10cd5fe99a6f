"""Retrieval settings as part of a release: what serves searches by its own, whatever the configuration says since."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag_assets.errors import ConfigurationError, WeightsError
from rag_assets.evaluation.variation import vary
from rag_assets.models.embedded import encoder
from rag_assets.project import Project
from rag_assets.releasing import ReleaseContent
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import ingest, serving

HARBOUR = "# Harbour\n\nThe ferries were leaving the harbour at six. A lamp burned at the pier."
MARKET = "# Market\n\nOne ferry leaves from the market on Sundays. Fish is sold there."
TEXT_ONLY = "mode: text, title_weight: 0.0"


@pytest.fixture
def port(small_project: SmallProject) -> SmallProject:
    small_project.write("port/harbour.md", HARBOUR)
    small_project.write("port/market.md", MARKET)
    return small_project


def release_with(project: SmallProject, retrieval: str) -> str:
    """The id of the release that is made and served with these settings."""
    project.configure(f"retrieval: {{{retrieval}}}", port="")
    outcome = ingest(project)
    release = serving(project)
    assert release is not None, outcome
    return release


def found(project: Project, query: str, *, release: str | None = None) -> list[str]:
    """The documents that a release finds."""
    with project.retriever(project.release(release)) as retriever:
        return sorted({hit.uri for hit in retriever.retrieve(query)})


@pytest.mark.slow
def test_a_release_keeps_the_words_its_index_was_built_with(port: SmallProject) -> None:
    stemmed = release_with(port, TEXT_ONLY)
    with port.open() as project:
        assert found(project, "ferry") == ["harbour.md", "market.md"]
    whole = release_with(port, f"{TEXT_ONLY}, stemming: false")
    assert whole != stemmed
    with port.open() as project:
        assert found(project, "ferry") == ["market.md"]
        assert found(project, "ferry", release=stemmed) == ["harbour.md", "market.md"]
    assert release_with(port, TEXT_ONLY) == stemmed
    with port.open() as project:
        assert found(project, "ferry") == ["harbour.md", "market.md"]
        assert found(project, "ferry", release=whole) == ["market.md"]


def test_a_variation_searches_by_its_settings_and_releases_nothing(port: SmallProject) -> None:
    release = release_with(port, TEXT_ONLY)
    with port.open() as project:
        content = ReleaseContent.of(project.release(), project.ledger)
        for changes in (
            ["retrieval.mode=vector"],
            ["retrieval.mode=hybrid", "retrieval.fusion=rrf", "retrieval.k=1"],
            ["retrieval.reranker=late_interaction", "retrieval.rerank_margin=1.0"],
        ):
            with project.retriever(vary(content, changes, project.settings)) as retriever:
                hits = retriever.retrieve("When do the boats go?", k=1)
                every = retriever.retrieve("ferry", k=100)
            assert len(hits) == (0 if "reranker" in changes[0] else 1)  # no word of it is in the texts
            assert len(every) == 2
        with project.retriever(content) as retriever:
            assert retriever.retrieve("When do the boats go?", k=1) == []
        other_words = content.retrieval.model_copy(update={"stemming": False})
        varied = ReleaseContent(**{**vars(content), "retrieval": other_words})
        with pytest.raises(ConfigurationError, match="built with True"), project.retriever(varied):
            pass
    assert serving(port) == release


def test_without_the_weights_the_reranker_is_refused_before_any_question(
    port: SmallProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release_with(port, f"{TEXT_ONLY}, reranker: late_interaction")
    with port.open() as project:
        assert found(project, "ferry") == ["harbour.md", "market.md"]
        (tmp_path / "empty").mkdir()
        monkeypatch.setenv("RAG_ASSETS_MINILM_DIR", str(tmp_path / "empty"))
        monkeypatch.setattr(encoder, "_shared", encoder.Encoder)  # as in a process that has not read them yet
        with pytest.raises(WeightsError, match="late_interaction reads with"):
            found(project, "ferry")
