"""What a notebook calls: `import rag_assets` and nothing else."""

from __future__ import annotations

import inspect

import pytest

import rag_assets
from rag_assets.answering import Step
from rag_assets.errors import QueryError, UnknownSourceError
from rag_assets.project import Project
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import ingest

BREAD = "# Bread\n\nRye bread needs a sourdough starter that is fed twice a day.\n"
WINE = "# Wine\n\nThe Riesling is stored at eleven degrees.\n"
QUESTION = "At how many degrees is the Riesling stored?"


@pytest.fixture
def house(small_project: SmallProject) -> SmallProject:
    """Bread for everyone and wine for the group `cellar`, released."""
    small_project.configure(cellar="allowed_groups: [cellar]", kitchen="")
    small_project.write("cellar/wine.md", WINE)
    small_project.write("kitchen/bread.md", BREAD)
    assert all(run.succeeded for run in ingest(small_project).runs)
    return small_project


def test_all_is_complete_and_sorted() -> None:
    functions = [name for name, value in vars(rag_assets).items() if inspect.isfunction(value)]
    public = [name for name in functions if not name.startswith("_")]
    assert rag_assets.__all__ == sorted(public)


@pytest.mark.parametrize("name", ["search", "ask"])
def test_a_notebook_can_ask_for_what_a_project_offers(name: str) -> None:
    offered = inspect.signature(getattr(Project, name)).parameters.keys() - {"self"}
    assert inspect.signature(getattr(rag_assets, name)).parameters.keys() == offered | {"config_file"}


def test_read(house: SmallProject) -> None:
    documents = rag_assets.read("raw_documents", source="kitchen")
    assert documents["uri"].to_pylist() == ["bread.md"]
    chunks = rag_assets.read("chunks", source="kitchen", config_file=house.config_file)
    assert "sourdough" in chunks["text"][0].as_py()
    house.configure(attic="", cellar="allowed_groups: [cellar]", kitchen="")
    empty = rag_assets.read("chunks", source="attic")
    assert (empty.num_rows, empty.schema.names) == (0, chunks.schema.names)
    with pytest.raises(UnknownSourceError, match="'barn'"):
        rag_assets.read("chunks", source="barn")


def test_search_and_ask_see_what_their_caller_may_see(house: SmallProject) -> None:
    assert {hit.uri for hit in rag_assets.search(QUESTION)} == {"bread.md"}
    assert not rag_assets.ask(QUESTION).answerable
    found = rag_assets.search(QUESTION, groups=["cellar"], k=1, config_file=house.config_file)
    assert [hit.uri for hit in found] == ["wine.md"]
    answer = rag_assets.ask(QUESTION, groups=["cellar"], config_file=house.config_file)
    assert "eleven degrees" in answer.answer
    assert [citation.uri for citation in answer.citations] == ["wine.md"]


def test_search_and_ask_are_kept_to_sources(house: SmallProject) -> None:
    assert {hit.source for hit in rag_assets.search(QUESTION, sources=["kitchen"], groups=["cellar"])} == {"kitchen"}
    assert not rag_assets.ask(QUESTION, sources=["kitchen"], groups=["cellar"]).answerable
    for function in (rag_assets.search, rag_assets.ask):
        with pytest.raises(UnknownSourceError, match="'barn'"):
            function(QUESTION, sources=["barn"])


class Steps:
    """Writes down each step that ended."""

    def __init__(self) -> None:
        self.seen: list[Step] = []

    def started(self, step: Step) -> None:
        pass

    def finished(self, step: Step) -> None:
        self.seen.append(step)


def test_search_and_ask_tell_observers_of_their_steps(house: SmallProject) -> None:
    asked, searched, refused = Steps(), Steps(), Steps()
    answer = rag_assets.ask(QUESTION, groups=["cellar"], observers=[asked])
    assert [step.name for step in asked.seen] == ["guard", "retrieve", "generate", "verify"]
    assert {step.answer_id for step in asked.seen} == {answer.answer_id}

    hits = rag_assets.search(QUESTION, k=1, observers=[searched])
    guard, retrieve = searched.seen
    assert (guard.name, retrieve.name, guard.answer_id) == ("guard", "retrieve", retrieve.answer_id)
    assert retrieve.attributes["chunk_ids"] == [hit.chunk_id for hit in hits]
    assert retrieve.attributes["input_tokens"] > 0
    assert retrieve.duration_ms > 0

    with pytest.raises(QueryError):
        rag_assets.search("  ", observers=[refused])
    (step,) = refused.seen
    assert (step.name, str(step.error).partition(":")[0]) == ("guard", "QueryError")
