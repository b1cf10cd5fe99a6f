"""`rag-assets ingest` and `make demo`, called as functions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from rag_assets.cli import demo
from rag_assets.cli.ingest import ingest
from rag_assets.evaluation.questions import split_of
from rag_assets_tests.cli.command import rag_assets
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import found_texts

NOTES = {name: f"# {name.title()}\n\nThe {name} is kept in drawer {n}.\n" for n, name in enumerate(("fork", "ladle"))}


@pytest.fixture
def kitchen(small_project: SmallProject, monkeypatch: pytest.MonkeyPatch) -> SmallProject:
    """One source with two documents, and a DAGSTER_HOME of its own."""
    monkeypatch.setenv("DAGSTER_HOME", str(small_project.root / "home"))
    small_project.configure(kitchen="")
    for name, text in NOTES.items():
        small_project.write(f"kitchen/{name}.md", text)
    return small_project


@pytest.mark.slow
def test_removals_wait_for_the_option_that_confirms_them(
    kitchen: SmallProject, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest(confirm_removals=True)  # nothing is held yet, so nothing is agreed to
    for name in NOTES:
        (kitchen.root / f"kitchen/{name}.md").unlink()
    kitchen.write("kitchen/whisk.md", "# Whisk\n\nThe whisk hangs on the wall.\n")
    with pytest.raises(typer.Exit) as stopped:
        ingest(source=["kitchen"])
    assert stopped.value.exit_code == 1
    assert "run: rag-assets ingest --source kitchen --confirm-removals" in capsys.readouterr().err
    assert any("drawer" in text for text in found_texts(kitchen, "fork ladle"))
    ingest(source=["kitchen"], confirm_removals=True)
    assert "kitchen: 1 added, 0 changed, 2 removed, 0 unchanged, 0 failed" in capsys.readouterr().out
    assert [text.splitlines()[-1] for text in found_texts(kitchen, "fork ladle")] == ["The whisk hangs on the wall."]
    with kitchen.open() as project:
        assert project.ledger.holds() == []


def test_minima_that_no_question_measures_are_not_passed_over(
    kitchen: SmallProject, capsys: pytest.CaptureFixture[str]
) -> None:
    question = next(text for n in range(99) if split_of(text := f"Where is fork number {n}?") == "train")
    (kitchen.root / "golden.jsonl").write_text(json.dumps({"id": "q", "question": question, "answers": ["drawer 0"]}))
    kitchen.configure("evaluation: {questions: [golden.jsonl], minima: {answer_contains: 0.9}}", kitchen="")
    ingest()
    said = capsys.readouterr().out
    assert "evaluation passed: no golden question is in the split gate: nothing was measured, and whether" in said
    assert "(answer_contains 0.900) are reached is unknown" in said


def test_the_demo_ends_with_cited_answers(
    kitchen: SmallProject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "QUESTIONS", ("In which drawer is the fork kept?", "In which drawer is the ladle kept?"))
    demo.demo()
    out = capsys.readouterr().out
    asked = out.split("\nQ: ")[1:]
    assert len(asked) == 2
    for (name, number), answered in zip((("fork", 0), ("ladle", 1)), asked, strict=True):
        assert f"drawer {number}" in answered
        assert f"[1] {name.title()} (kitchen/{name}.md" in answered
    assert "make dev" in out
    assert 'rag-assets ask "…"' in out


def test_the_demo_of_a_source_that_is_not_there_stops_with_an_exit_code(kitchen: SmallProject) -> None:
    kitchen.config_file.write_text("sources: {kitchen: {path: nowhere}}\n", "utf-8")
    with pytest.raises(SystemExit) as stopped:
        demo.demo()
    assert stopped.value.code == 1


@pytest.mark.slow
def test_many_sources_are_warned_about_and_too_many_refused(tmp_path: Path) -> None:
    file = tmp_path / "rag_assets.yaml"
    for count, code, said in (
        (1_001, 1, "warning: 1,001 sources: above 1,000 the Dagster UI becomes slow; group them."),
        (5_001, 1, "5,001 sources, and at most 5,000 are supported; group them"),
    ):
        file.write_text("sources:\n" + "".join(f"  s{n}: {{path: x}}\n" for n in range(count)), "utf-8")
        ran = rag_assets(tmp_path, "ingest", "--source", "s1", "--no-release")
        assert ran.code == code
        assert said in ran.err
