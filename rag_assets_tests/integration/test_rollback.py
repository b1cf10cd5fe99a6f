"""A person goes back to an earlier release: it serves at once, and stays until there is something new."""

from __future__ import annotations

import pytest

from rag_assets.errors import NoReleaseError
from rag_assets.releasing import roll_back
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import found_texts, ingest, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def brewed(small_project: SmallProject) -> tuple[SmallProject, list[str]]:
    """A project released three times, and the releases, oldest first."""
    small_project.configure(wiki="")
    releases = []
    for degrees in ("seventy", "eighty", "ninety"):
        brew(small_project, degrees)
        releases.append(str(serving(small_project)))
    assert len(set(releases)) == 3
    return small_project, releases


def brew(project: SmallProject, degrees: str) -> None:
    project.write("wiki/tea.md", f"# Tea\n\nGreen tea is brewed at {degrees} degrees.\n")
    assert [run.error for run in ingest(project).runs] == [None, None]


def go_back(project: SmallProject, to: str | None = None) -> str:
    with project.open() as opened:
        return roll_back(
            opened.store, opened.ledger, sources=opened.source_names, to=to, by="a test", reason="wrong degrees"
        ).release_id


def test_it_serves_at_once_and_pays_for_nothing(brewed: tuple[SmallProject, list[str]]) -> None:
    project, (first, second, third) = brewed
    versions, paid = project.lance_versions(), project.embedded_texts()
    assert serving(project) == third
    assert go_back(project) == second == serving(project)
    assert (project.lance_versions(), project.embedded_texts()) == (versions, paid)
    assert found_texts(project, "green tea") == ["# Tea\n\nGreen tea is brewed at eighty degrees."]
    assert go_back(project, to=first) == first == serving(project)
    assert found_texts(project, "green tea") == ["# Tea\n\nGreen tea is brewed at seventy degrees."]
    with project.open() as opened:
        newest = opened.ledger.serving_history()[0]
    assert (newest.release_id, newest.rollback, newest.reason) == (first, True, "wrong degrees")


def test_it_stays_until_something_changes(brewed: tuple[SmallProject, list[str]]) -> None:
    project, (_, second, third) = brewed
    go_back(project)
    outcome = ingest(project)
    assert outcome.release is not None
    assert outcome.release.materialized["release"]["retracted"] is True
    assert serving(project) == second
    brew(project, "sixty")
    fourth = serving(project)
    assert fourth not in (second, third)
    assert any("sixty degrees" in text for text in found_texts(project, "green tea"))


def test_a_removed_document_is_not_answered_from_by_an_earlier_release(
    brewed: tuple[SmallProject, list[str]],
) -> None:
    project, (first, _, _) = brewed
    project.write("wiki/coffee.md", "# Coffee\n\nCoffee is roasted twice.\n")
    ingest(project)
    (project.root / "wiki/tea.md").unlink()
    ingest(project)
    go_back(project, to=first)
    assert found_texts(project, "green tea") == []


def test_there_is_nothing_to_go_back_to(small_project: SmallProject) -> None:
    with small_project.open() as opened, pytest.raises(NoReleaseError, match="Nothing is released yet"):
        roll_back(opened.store, opened.ledger, sources=opened.source_names, to=None, by="a test", reason="")
    small_project.configure(wiki="")
    brew(small_project, "eighty")
    with small_project.open() as opened:
        with pytest.raises(NoReleaseError, match="No other release served before this one"):
            roll_back(opened.store, opened.ledger, sources=opened.source_names, to=None, by="a test", reason="")
        with pytest.raises(NoReleaseError, match="There is no release 'abc'"):
            roll_back(opened.store, opened.ledger, sources=opened.source_names, to="abc", by="a test", reason="")
