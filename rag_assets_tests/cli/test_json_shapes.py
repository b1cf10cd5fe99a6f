"""What the commands print as JSON, and that it agrees with what Dagster and the configuration file say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from rag_assets_tests.cli.command import configure, rag_assets

TEA = "# Tea\n\n## Brewing\n\nGreen tea is brewed at eighty degrees for two minutes.\n"
COAL = "# Coal\n\nAnthracite burns at nine hundred degrees.\n"
QUESTION = "At how many degrees is green tea brewed?"
SOURCE_ASSETS = ("raw_documents", "chunks", "embeddings", "vector_index")

INGEST = {"release", "sources"}
INGEST_SOURCE = {
    "run_id", "documents", "chunks", "texts_embedded", "table_versions_committed", "tokens", "cost_usd", "seconds",
}  # fmt: skip
DOCUMENTS = {"added", "changed", "removed", "unchanged", "failed"}
CHUNKS = {"added", "removed", "unchanged"}
SEARCH = {"release", "query", "results"}
RESULT = {"chunk_id", "document_id", "source", "uri", "title", "heading_path", "page", "score", "text"}
ANSWER = {"answer_id", "answer", "answerable", "citations", "release", "model", "usage", "cost_usd", "latency_ms"}
CITATION = {"n", "chunk_id", "source", "uri", "title", "quote"}
RELEASE = {"release", "serving", "snapshot", "embedding_space", "chat_model", "created_at", "metrics"}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any]]:
    """A project with two sources, and what its first `ingest --json` printed. Tests only read it."""
    folder = tmp_path_factory.mktemp("shapes")
    configure(folder, "cellar", "wiki")
    (folder / "wiki/tea.md").write_text(TEA, "utf-8")
    (folder / "cellar/coal.md").write_text(COAL, "utf-8")
    ran = rag_assets(folder, "ingest", "--json")
    assert (ran.code, ran.err) == (0, "")
    yield folder, ran.json


def test_ingest_prints_what_was_done_to_each_source(first: tuple[Path, Any]) -> None:
    folder, summary = first
    assert summary.keys() >= INGEST
    assert summary["sources"].keys() == {"cellar", "wiki"}
    for source in summary["sources"].values():
        assert source.keys() >= INGEST_SOURCE
        assert source["documents"].keys() == DOCUMENTS
        assert source["chunks"].keys() == CHUNKS
        assert (source["documents"]["added"], source["chunks"]["added"], source["texts_embedded"]) == (1, 1, 1)
        assert source["tokens"] > 0
        assert source["table_versions_committed"] >= 4
        assert source["cost_usd"] == 0.0
    again = rag_assets(folder, "ingest", "--json").json
    assert again["release"] == summary["release"]
    for source in again["sources"].values():
        assert source["documents"] == dict.fromkeys(DOCUMENTS, 0) | {"unchanged": 1}
        assert source["chunks"] == {"added": 0, "removed": 0, "unchanged": 1}
        assert (source["texts_embedded"], source["tokens"], source["table_versions_committed"]) == (0, 0, 0)


def test_every_run_is_in_the_shared_dagster_home(first: tuple[Path, Any]) -> None:
    folder, summary = first
    with dg.DagsterInstance.from_config(str(folder / ".rag_assets/dagster")) as instance:
        runs = {run.run_id: run for run in instance.get_runs()}
        for name, source in summary["sources"].items():
            run = runs[source["run_id"]]
            assert (run.job_name, run.status) == ("ingest_source", dg.DagsterRunStatus.SUCCESS)
            made = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
            events = [event.get_dagster_event() for event in made]
            assert sorted((str(event.asset_key), event.partition) for event in events) == sorted(
                (str(dg.AssetKey(asset)), name) for asset in SOURCE_ASSETS
            )
        assert sorted(instance.get_dynamic_partitions("sources")) == ["cellar", "wiki"]


def test_search_ask_and_releases(first: tuple[Path, Any]) -> None:
    folder, summary = first
    found = rag_assets(folder, "search", QUESTION, "-k", "1", "--source", "wiki", "--json").json
    assert found.keys() >= SEARCH
    assert (found["release"], found["query"], len(found["results"])) == (summary["release"], QUESTION, 1)
    assert found["results"][0].keys() >= RESULT
    assert (found["results"][0]["source"], found["results"][0]["uri"]) == ("wiki", "tea.md")

    answer = rag_assets(folder, "ask", QUESTION, "--json").json
    assert answer.keys() >= ANSWER
    assert answer["answerable"] is True
    assert "eighty degrees" in answer["answer"]
    assert [citation["n"] for citation in answer["citations"]] == [1]
    assert answer["citations"][0].keys() >= CITATION
    assert answer["citations"][0]["quote"] in TEA
    assert answer["usage"]["input_tokens"] > 0

    (release,) = rag_assets(folder, "releases", "list", "--json").json
    assert release.keys() >= RELEASE
    assert (release["release"], release["serving"]) == (summary["release"], True)
    shown = rag_assets(folder, "releases", "show", "--json").json
    assert shown.items() >= release.items()
    assert shown["sources"].keys() == {"cellar", "wiki"}


def test_text_output_says_the_same(first: tuple[Path, Any]) -> None:
    folder, summary = first
    assert "[1] Tea (wiki/tea.md" in rag_assets(folder, "ask", QUESTION).out
    assert "1. Tea (wiki/tea.md" in rag_assets(folder, "search", "green tea").out
    assert f"* {summary['release']}" in rag_assets(folder, "releases", "list").out


@pytest.mark.slow
def test_an_unchanged_ingest_does_not_undo_a_rollback(tmp_path: Path) -> None:
    configure(tmp_path, "wiki")
    tea = tmp_path / "wiki/tea.md"
    served = []
    for degrees in ("eighty", "ninety"):
        tea.write_text(TEA.replace("eighty", degrees), "utf-8")
        served.append(rag_assets(tmp_path, "ingest", "--json").json["release"])
    old, new = served
    back = rag_assets(tmp_path, "releases", "rollback", "--reason", "wrong degrees", "--json")
    assert (back.code, back.json["release"], back.json["serving"]) == (0, old, True)
    assert "eighty degrees" in rag_assets(tmp_path, "ask", QUESTION).out
    assert rag_assets(tmp_path, "ingest", "--json").json["release"] == old
    rows = {row["release"]: row["serving"] for row in rag_assets(tmp_path, "releases", "list", "--json").json}
    assert rows == {old: True, new: False}


@pytest.mark.slow
def test_sources_are_edited_with_comments_kept_and_a_reset_starts_anew(tmp_path: Path) -> None:
    file = configure(tmp_path, "wiki")
    file.write_text(f"# Ours.\n\n{file.read_text('utf-8')}# The end.\n", "utf-8")
    before = file.read_text("utf-8")
    for name, text in (("wiki/tea.md", TEA), ("cellar/coal.md", COAL)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    added = rag_assets(tmp_path, "sources", "add", "cellar", "--path", "cellar", "--include", "**/*.md", "--json")
    assert (added.code, added.json["source"], added.json["path"]) == (0, "cellar", "cellar")
    changed = file.read_text("utf-8")
    assert "# Ours." in changed
    assert "# The end." in changed
    assert rag_assets(tmp_path, "sources", "validate", "--json").json == [
        {"source": name, "ok": True, "files": 1, "error": None} for name in ("cellar", "wiki")
    ]
    released = rag_assets(tmp_path, "ingest", "--json").json["release"]
    listed = rag_assets(tmp_path, "sources", "list", "--json").json
    assert [(row["source"], row["documents"], row["failed"], row["held"]) for row in listed] == [
        ("cellar", 1, 0, None),
        ("wiki", 1, 0, None),
    ]
    assert rag_assets(tmp_path, "sources", "remove", "cellar", "--json").json == {"removed": "cellar"}
    assert file.read_text("utf-8") == before
    assert {hit["source"] for hit in rag_assets(tmp_path, "search", "degrees", "--json").json["results"]} == {"wiki"}

    reset = rag_assets(tmp_path, "reset", "--yes", "--json")
    assert reset.code == 0
    assert str(tmp_path / ".rag_assets/lancedb") in reset.json["deleted"]
    assert rag_assets(tmp_path, "ask", QUESTION).code == 1
    again = rag_assets(tmp_path, "ingest", "--json")
    assert again.code == 0
    assert again.json["release"] != released
    assert again.json["sources"]["wiki"]["texts_embedded"] == 1
    assert (tmp_path / "cellar/coal.md").read_text("utf-8") == COAL


def test_the_help_of_every_command_has_an_example() -> None:
    from typer.testing import CliRunner

    from rag_assets.cli.main import app

    groups = {"sources": ["list", "add", "remove", "validate"], "releases": ["list", "show", "rollback"]}
    alone = ["doctor", "ingest", "search", "ask", "dev", "reset"]
    commands = [[name] for name in alone] + [[group, name] for group, names in groups.items() for name in names]
    runner = CliRunner()
    for command in commands:
        shown = runner.invoke(app, [*command, "--help"])
        assert shown.exit_code == 0
        assert f"Example: rag-assets {' '.join(command)}" in " ".join(shown.output.split())
    whole = runner.invoke(app, ["--help"]).output
    assert all(f" {name} " in whole for name in (*alone, *groups))
