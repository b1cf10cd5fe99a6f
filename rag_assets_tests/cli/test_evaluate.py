"""`rag-assets eval` as a user or a pipeline runs it: what it prints, and what its exit code says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rag_assets_tests.cli.command import Ran, configure, rag_assets

pytestmark = pytest.mark.slow

QUESTIONS: list[dict[str, Any]] = [
    {"id": "brew", "question": "How hot is green tea brewed?", "expected_uris": ["tea.md"], "answers": ["eighty"]},
    {"id": "burn", "question": "How hot does anthracite burn?", "expected_uris": ["coal.md"], "answers": ["nine"]},
    {"id": "gone", "question": "Where is the old kettle?", "expected_uris": ["kettle.md"]},
]
MINIMA = "evaluation:\n  max_orphaned_fraction: 0.5\n  minima: {answer_contains: %s, refusal_recall: 0.9}\n"
CONTRACT = {"release", "snapshot", "questions", "metrics", "gates", "passed", "report_path"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A released project with a file of questions, and the id of its release; tests copy it."""
    folder = tmp_path_factory.mktemp("evaluated") / "project"
    folder.mkdir()
    configure(folder, "wiki")
    (folder / "wiki/tea.md").write_text("# Tea\n\nGreen tea is brewed at eighty degrees.\n", "utf-8")
    (folder / "wiki/coal.md").write_text("# Coal\n\nAnthracite burns at nine hundred degrees.\n", "utf-8")
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)), "utf-8")
    yield folder, rag_assets(folder, "ingest", "--json").json["release"]


@pytest.fixture
def project(built: tuple[Path, str], tmp_path: Path) -> tuple[Path, str]:
    folder, release = built
    return Path(shutil.copytree(folder, tmp_path / "project", symlinks=True)), release


def evaluate(folder: Path, *more: str) -> Ran:
    return rag_assets(folder, "eval", "--questions", "questions.jsonl", *more)


def test_json_has_one_entry_per_rule_and_counts_what_was_given(project: tuple[Path, str]) -> None:
    folder, release = project
    configure(folder, "wiki", settings=MINIMA % 0.5)
    ran = evaluate(folder, "--json")
    printed = ran.json
    assert ran.code == 0
    assert printed.keys() >= CONTRACT
    assert (printed["release"], printed["variation"], printed["released"]) == (release, [], True)
    assert (printed["questions"], printed["measured"], list(printed["orphaned"])) == (3, 2, ["gone"])
    assert printed["gates"].keys() == {"orphaned", "minimum answer_contains"}
    gate = printed["gates"]["minimum answer_contains"]
    assert (gate["passed"], gate["value"], gate["limit"]) == (True, 1.0, 0.5)
    assert "at least its minimum" in gate["text"]
    assert printed["gates"]["orphaned"]["value"] == pytest.approx(1 / 3)
    assert all(metric.keys() == {"value", "ci95", "n"} for metric in printed["metrics"].values())
    assert Path(printed["report_path"]).is_file()


def test_a_variation_names_the_release_that_it_varies(project: tuple[Path, str]) -> None:
    folder, release = project
    printed = evaluate(folder, "--set", "retrieval.mode=vector", "--json").json
    assert (printed["release"], printed["variation"]) == (release, ["retrieval.mode=vector"])
    assert (printed["released"], printed["content"] == release) == (False, False)
    assert "regression serving" in printed["gates"]
    said = evaluate(folder, "--release", release, "--set", "retrieval.mode=vector").out
    assert said.startswith(f"release {release} with retrieval.mode=vector: 2 questions, 2 of them asked before\n")
    configure(folder, "wiki", settings="answering: {passages: 1}")
    printed = evaluate(folder, "--candidate", "--json").json
    assert (printed["candidate"], printed["released"], printed["release"]) == (True, False, printed["content"])


def test_a_gate_that_fails_is_told_from_an_error_by_the_exit_code(project: tuple[Path, str]) -> None:
    folder, release = project
    (folder / "questions.jsonl").write_text(json.dumps(QUESTIONS[0] | {"answers": ["ninety"]}), "utf-8")
    configure(folder, "wiki", settings=MINIMA % 0.5)
    failed = evaluate(folder)
    assert (failed.code, failed.err) == (4, "")
    assert failed.out.startswith(f"release {release}: 1 questions")
    assert "\nFAILED: " in failed.out
    assert not evaluate(folder, "--json").json["passed"]
    (folder / "questions.jsonl").write_text("{broken", "utf-8")
    assert evaluate(folder).code == 1


def test_only_minima_that_the_given_questions_can_measure_are_applied(project: tuple[Path, str]) -> None:
    folder, _ = project
    configure(folder, "wiki", settings=MINIMA % 0.5)
    said = evaluate(folder)
    assert (said.code, said.err) == (0, "")
    assert "  minimum 0.9 of refusal_recall not applied: none of the given questions measures it" in said.out
    assert evaluate(folder, "--json").json["not_applied"] == {"refusal_recall": 0.9}

    unanswerable = {"id": "moon", "question": "Who walked on the moon?", "answerable": False}
    (folder / "questions.jsonl").write_text(json.dumps(unanswerable), "utf-8")
    printed = evaluate(folder, "--json").json
    assert printed["not_applied"] == {"answer_contains": 0.5}
    assert printed["gates"].keys() == {"orphaned", "minimum refusal_recall"}


def test_half_a_character_in_a_question_is_a_mistake_with_its_line(project: tuple[Path, str]) -> None:
    folder, _ = project
    line = '{"id": "half", "question": "How \\ud800 hot is green tea brewed?", "answers": ["eighty"]}'
    (folder / "questions.jsonl").write_text(f"{json.dumps(QUESTIONS[0])}\n{line}\n", "utf-8")
    ran = evaluate(folder, "--json")
    assert ran.code == 1
    assert "questions.jsonl:2: a text holds \\ud800, half of a pair of surrogates" in ran.error
    assert ran.json["error"]["type"] == "QuestionsError"


def test_reports_that_cannot_be_written_are_one_line(project: tuple[Path, str]) -> None:
    folder, _ = project
    configure(folder, "wiki", settings=MINIMA % 0.5)
    shutil.rmtree(folder / ".rag_assets/reports", ignore_errors=True)
    (folder / ".rag_assets/reports").write_text("in the way", "utf-8")
    ran = evaluate(folder, "--json")
    assert ran.code == 1
    assert ran.json["error"]["type"] == "ReportError"
    assert "/reports/" in ran.error and "cannot be written" in ran.error
    (folder / ".rag_assets/reports").unlink()
    assert evaluate(folder).code == 0


def test_a_report_quotes_nothing_of_a_source_that_is_not_for_everyone(project: tuple[Path, str]) -> None:
    folder, _ = project
    wrong = [QUESTIONS[0] | {"answers": ["ninety"]}, QUESTIONS[1] | {"answers": ["ten"]}]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, wrong)), "utf-8")
    report = Path(evaluate(folder, "--json").json["report_path"])
    assert "brewed at eighty degrees" in report.read_text("utf-8")
    with (folder / "rag_assets.yaml").open("a", encoding="utf-8") as file:
        file.write("    allowed_groups: [tea]\n")
    report = Path(evaluate(folder, "--json").json["report_path"])
    for text in (file.read_text("utf-8") for file in report.parent.iterdir()):
        assert "eighty degrees" not in text and "nine hundred" not in text
        assert "wiki/tea.md" in text and "(not shown: restricted)" in text
