"""The quality verdict lets exactly one content follow exactly one release."""

from __future__ import annotations

import json
import sqlite3

import pytest

from rag_assets.errors import GateError
from rag_assets.releasing import ReleaseContent, roll_back
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.releasing.stages import candidate, ingest, judge, release, serving


@pytest.fixture
def tea(small_project: SmallProject) -> SmallProject:
    small_project.configure(wiki="")
    small_project.write("wiki/tea.md", "# Tea\n\nGreen tea is brewed at eighty degrees.\n")
    with small_project.open() as project:
        ingest(project)
        release(project, candidate(project))
    return small_project


def test_a_verdict_against_another_release_lets_nothing_follow_this_one(tea: SmallProject) -> None:
    first = serving(tea)
    with tea.open() as project:
        before = project.content(project.snapshot(project.release().snapshot_id))
    tea.configure("answering: {passages: 2}", wiki="")
    with tea.open() as project:
        release(project, candidate(project))
    assert serving(tea) != first
    with tea.open() as project:  # the settings of before, by the verdict of before
        with pytest.raises(GateError, match="was evaluated before release"):
            release(project, before)
        judge(project, before)
        assert release(project, before).flipped
    assert serving(tea) == first


def test_a_release_that_another_process_made_meanwhile_is_not_flipped_over(tea: SmallProject) -> None:
    first = serving(tea)
    with tea.open() as project:
        assert not project.ledger.serve(str(first), "again", "a test", after=["another"])  # it serves already
        other = candidate(project)
        tea.configure("answering: {passages: 2}", wiki="")
    with tea.open() as project:
        newest = project.content(other.snapshot).create(project.ledger)
        with pytest.raises(GateError, match=f"was judged before release {first} began to serve"):
            project.ledger.serve(newest.release_id, "judged", "a test", after=["another"])
        assert project.ledger.serve(newest.release_id, "judged", "a test", after=[first])


def test_a_release_of_an_earlier_version_keeps_its_name_although_settings_were_added_since(tea: SmallProject) -> None:
    first = serving(tea)
    with tea.open() as project:
        file = project.settings.data_path / "ledger.sqlite"
    with sqlite3.connect(file) as ledger:  # as a version without these settings would have left it
        [(text,)] = ledger.execute("select retrieval from releases")
        older = {key: value for key, value in json.loads(text).items() if key not in ("reranker", "neighbours")}
        ledger.execute("update releases set retrieval = ?", [json.dumps(older)])
    with tea.open() as project:
        content = ReleaseContent.of(project.release(), project.ledger)
        assert content.release_id == first
        assert content.values["retrieval"] == older
        assert project.ask("At how many degrees is green tea brewed?").release == first
    tea.configure("answering: {passages: 2}", wiki="")
    with tea.open() as project:
        release(project, candidate(project))
        roll_back(project.store, project.ledger, sources=project.source_names, to=None, by="a test", reason="try")
        assert project.ask("At how many degrees is green tea brewed?").release == first
