"""`rag-assets quarantine`, called as functions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import typer

from rag_assets.cli.ingest import ingest
from rag_assets.cli.quarantine import Stage, drop, list_failures, retry
from rag_assets.cli.sources import list_sources
from rag_assets.errors import ConfigurationError, DocumentError, UnknownSourceError
from rag_assets.ledger import FailedDocument
from rag_assets_tests.conftest import SmallProject

NO_PDF = b"%PDF-1.7\n" + bytes(range(256)) * 8
FIELDS = {
    "source", "uri", "stage", "error", "attempts", "first_seen", "last_seen", "state", "answers", "tried_again",
}  # fmt: skip


@pytest.fixture
def kitchen(small_project: SmallProject, monkeypatch: pytest.MonkeyPatch) -> SmallProject:
    """Two sources, never ingested; each has a failed document called a.pdf, and the kitchen one whose input failed."""
    monkeypatch.setenv("DAGSTER_HOME", str(small_project.root / "home"))
    small_project.configure(cellar="", kitchen="")
    with small_project.open() as project:
        for source in ("cellar", "kitchen"):
            failed = FailedDocument("a.pdf", f"{source}-a", "parse", f"{source}/a.pdf is broken.", gate="as it is")
            project.ledger.record_failures(source, [failed])
        failed = FailedDocument("menu.md", "m", "embed", "The model refused it.", gate="as it is")
        project.ledger.record_failures("kitchen", [failed])
    return small_project


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda: json.loads(capsys.readouterr().out)


def test_the_list_says_what_failed_why_and_when_it_is_tried_again(
    kitchen: SmallProject, printed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    list_failures(as_json=True)
    rows = printed()
    assert all(row.keys() == FIELDS for row in rows)
    assert [(row["source"], row["uri"]) for row in rows] == [
        ("cellar", "a.pdf"), ("kitchen", "a.pdf"), ("kitchen", "menu.md"),
    ]  # fmt: skip
    assert {(row["attempts"], row["state"], row["answers"], row["tried_again"]) for row in rows} == {
        (1, "failed", False, "when it changes")
    }
    list_failures(source="kitchen", stage=Stage.embed)
    said = capsys.readouterr().out
    assert said.startswith("kitchen/menu.md  embed, 1 attempt: 20")
    assert "  The model refused it.\n  Nothing of it answers; it is tried again when it changes.\n" in said
    assert said.endswith("1 failed, 0 given up. Times are in UTC.\n")
    list_failures(stage=Stage.load)
    assert capsys.readouterr().out == "No document failed.\n"
    list_sources(as_json=True)
    assert [(row["failed"], row["given_up"]) for row in printed()] == [(1, 0), (2, 0)]


def test_who_is_meant_must_be_clear(kitchen: SmallProject) -> None:
    wrongs: list[tuple[Callable[[], None], str]] = [
        (lambda: retry(), "not said what to try again"),
        (lambda: retry(["a.pdf"], every=True), "--all was given with a name"),
        (lambda: retry(["a.pdf"]), "more than one source. Say which with --source: cellar or kitchen"),
        (lambda: retry(["meun.md"]), "called 'meun.md'. Did you mean menu.md"),
        (lambda: drop(["xyz"], yes=True), "called 'xyz'. List those that failed with"),
        (lambda: drop(["menu.md"]), "would give up kitchen/menu.md: .* Add --yes to do it"),
        (lambda: list_failures(source="attic"), "attic"),
    ]
    for wrong, said in wrongs:
        with pytest.raises((ConfigurationError, DocumentError, UnknownSourceError), match=said):
            wrong()
    with kitchen.open() as project:
        assert len(project.ledger.failures()) == 3
        assert project.ledger.denied().documents == frozenset()


def test_a_document_is_given_up_and_taken_up_again(kitchen: SmallProject, printed: Any) -> None:
    drop(["kitchen/a.pdf", "menu.md"], yes=True, as_json=True)
    assert [one["uri"] for one in printed()["dropped"]] == ["a.pdf", "menu.md"]
    list_sources(as_json=True)
    assert [(row["failed"], row["given_up"]) for row in printed()] == [(1, 0), (0, 2)]
    with kitchen.open() as project:
        assert project.ledger.denied().documents == {"kitchen-a", "m"}
    retry(source="kitchen", run=False, as_json=True)  # what was given up is meant only by its name
    assert printed() == {"retried": [], "ingest": None}
    retry(["menu.md"], run=False, as_json=True)
    assert printed() == {"retried": [{"source": "kitchen", "uri": "menu.md"}], "ingest": None}
    list_failures(source="kitchen", as_json=True)
    assert [(row["state"], row["tried_again"]) for row in printed()] == [
        ("dropped", "when it changes"),
        ("failed", "next run"),
    ]


@pytest.mark.slow
def test_retrying_ingests_and_ends_as_an_ingest_does(kitchen: SmallProject, capsys: pytest.CaptureFixture[str]) -> None:
    kitchen.write("cellar/wine.md", "# Wine\n\nRiesling is served at ten degrees.\n")
    kitchen.write("cellar/a.pdf", NO_PDF)
    runs: list[Callable[[], None]] = [lambda: retry(["cellar/a.pdf"]), lambda: ingest(source=["cellar"])]
    for again in runs:
        with pytest.raises(typer.Exit) as stopped:
            again()
        assert stopped.value.exit_code == 3
        said = capsys.readouterr()
        assert "1 failed" in said.out
        assert said.err.startswith("failed: cellar: a.pdf ")
        with kitchen.open() as project:  # the second run knows it, says so, and does not try it
            assert [failure.attempts for failure in project.ledger.failures("cellar")] == [2]
