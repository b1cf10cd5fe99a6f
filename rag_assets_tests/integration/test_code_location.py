"""Every way to load the project gives the same code location, and its jobs do what they say."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg
import pytest
from ruamel.yaml import YAML

from rag_assets.assets import sync_partitions
from rag_assets.tuning.gates import TRAINING_GATES
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import found_texts, ingest, serving

ROOT = Path(__file__).parents[2]


def test_the_location_is_named_alike_in_both_files() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["dg"]["project"]
    workspace = YAML(typ="safe").load((ROOT / "workspace.yaml").read_text("utf-8"))
    module = workspace["load_from"][0]["python_module"]
    assert module["location_name"] == project["code_location_name"] == "rag_assets"
    assert module["module_name"] == f"{project['root_module']}.definitions"


def test_the_definitions_load_with_and_without_the_workspace_file(tmp_path: Path) -> None:
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path), "DAGSTER_DISABLE_TELEMETRY": "1"}
    for options in ([], ["-w", "workspace.yaml"]):
        command = [sys.executable, "-W", "ignore", "-m", "dagster", "definitions", "validate", *options]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Validation successful for code location rag_assets" in done.stdout + done.stderr


def test_loading_the_definitions_imports_nothing_heavy() -> None:
    heavy = {"lancedb", "onnxruntime", "trafilatura", "docutils", "pypdfium2", "langchain_text_splitters", "alembic"}
    code = f"import sys, rag_assets.definitions; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    # Dagster itself imports alembic, for its own storage.
    assert done.stdout.strip() in ("[]", "['alembic']")


def test_every_asset_explains_itself() -> None:
    from rag_assets.definitions import defs

    graph = defs.resolve_asset_graph()
    keys = graph.materializable_asset_keys
    assert {key.to_user_string() for key in keys} == {
        "raw_documents",
        "chunks",
        "embeddings",
        "vector_index",
        "index_snapshot",
        "golden_questions",
        "eval_report",
        "release",
        "training_examples",
        "training_file",
        "fine_tuning_job",
        "fine_tuned_model",
        "model_comparison",
        "maintenance",
        "spend_report",
    }
    for key in keys:
        node = graph.get(key)
        assert node.description and node.owners and node.kinds and node.code_version and node.group_name
        assert "dagster/code_references" in node.metadata
    blocking = {check.name for check in graph.asset_check_keys if graph.get(check).blocking}
    assert blocking == {"token_budget", "embedding_integrity", "completeness", "quality", *TRAINING_GATES}


def test_no_asset_is_marked_with_a_provider_that_the_project_need_not_use() -> None:
    from rag_assets.definitions import defs

    graph = defs.resolve_asset_graph()
    assert {kind for key in graph.materializable_asset_keys for kind in graph.get(key).kinds} == {
        "lancedb",
        "html",
        "json",
        "sql",
    }


def test_refresh_all_releases_what_the_sound_sources_brought(small_project: SmallProject) -> None:
    small_project.config_file.write_text("sources:\n  wiki: {path: wiki}\n  lost: {path: not-there}\n", "utf-8")
    small_project.write("wiki/a.md", "# Bread\n\nRye bread needs a sourdough starter.\n")
    home = small_project.root / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text("utf-8"), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "job", "execute", "-m", "rag_assets.definitions", "-j", "refresh_all"],
        env={**os.environ, "DAGSTER_HOME": str(home), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Failed: lost. The other sources went on." in done.stdout + done.stderr
    assert serving(small_project) is not None
    assert any("sourdough" in text for text in found_texts(small_project, "bread"))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        runs = sorted((run.job_name, run.status.value) for run in instance.get_runs())
    assert runs == [
        ("ingest_source", "FAILURE"),
        ("ingest_source", "SUCCESS"),
        ("refresh_all", "FAILURE"),
        ("release_index", "SUCCESS"),
    ]


@pytest.mark.slow
def test_collect_and_tune_submits_nothing_where_a_set_or_a_gate_refuses(small_project: SmallProject) -> None:
    small_project.configure("examples: {faq: {files: [faq.jsonl]}, posts: {kind: posts, files: ['p/*']}}", wiki="")
    small_project.write("wiki/a.md", "# Bread\n\nRye bread needs a sourdough starter.\n")
    small_project.write("faq.jsonl", '{"question": "What does rye bread need?", "accepted": ["sourdough starter"]}\n')
    small_project.write("p/a.md", "# A title alone\n")
    ingest(small_project)
    said, runs = _collect_and_tune(small_project, "one")
    assert "Nothing was submitted. examples posts:" in said and "it has a title and no body" in said
    assert runs == [("collect_and_tune", False), ("collect_examples", False), ("collect_examples", True)]
    small_project.write("p/a.md", "# A title\n\nA body.\n")
    said, runs = _collect_and_tune(small_project, "two")
    assert "Nothing was submitted. tuning: The check 'training_counts' failed" in said
    assert runs == [
        ("collect_and_tune", False), ("collect_examples", True), ("collect_examples", True), ("tune_model", False),
    ]  # fmt: skip
    with small_project.open() as project:
        assert project.ledger.tuning_jobs() == []


def _collect_and_tune(project: SmallProject, name: str) -> tuple[str, list[tuple[str, bool]]]:
    """Runs the job as Dagster's daemon would; what it printed, and every run with whether it succeeded."""
    home = project.root / name
    home.mkdir()
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text("utf-8"), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "job", "execute", "-m", "rag_assets.definitions", "-j", "collect_and_tune"],
        env={**os.environ, "DAGSTER_HOME": str(home), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return done.stdout + done.stderr, sorted((run.job_name, run.is_success) for run in instance.get_runs())


def test_partitions_follow_the_configuration(small_project: SmallProject) -> None:
    small_project.configure(a="", b="")
    with small_project.open() as project:
        assert sync_partitions(small_project.instance, project).added == ("a", "b")
    small_project.configure(b="", c="")
    with small_project.open() as project:
        changes = sync_partitions(small_project.instance, project)
        assert (changes.added, changes.removed) == (("c",), ("a",))
        assert project.ledger.denied().sources == {"a"}
    assert sorted(small_project.instance.get_dynamic_partitions("sources")) == ["b", "c"]
    small_project.configure(a="", b="", c="")
    with small_project.open() as project:
        assert sync_partitions(small_project.instance, project).added == ("a",)
        assert project.ledger.denied().sources == {"a"}  # until a release holds it again


def test_an_unknown_partition_is_one_clear_failure(small_project: SmallProject) -> None:
    from rag_assets.assets import raw_documents
    from rag_assets.resources.project import ProjectResource

    small_project.instance.add_dynamic_partitions("sources", ["nobody"])
    result = dg.materialize(
        [raw_documents],
        instance=small_project.instance,
        partition_key="nobody",
        resources={"project": ProjectResource()},
        raise_on_error=False,
    )
    failure = result.get_step_failure_events()[0].step_failure_data.user_failure_data
    assert failure is not None and "There is no source named 'nobody'" in str(failure.description)
