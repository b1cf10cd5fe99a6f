"""Sets of examples as partitions: kept in step with the configuration, each materialized alone."""

from __future__ import annotations

import json
from typing import Any

import dagster as dg

from rag_assets.assets import sync_example_sets, training_examples
from rag_assets.automation.sensors import partitions
from rag_assets.resources.project import ProjectResource
from rag_assets_tests.conftest import SmallProject


def collect(project: SmallProject, name: str) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [training_examples],
        instance=project.instance,
        partition_key=name,
        resources={"project": ProjectResource()},
        raise_on_error=False,
    )


def outcome(result: dg.ExecuteInProcessResult) -> tuple[str, dict[str, Any]]:
    """The data version and the metadata of the one materialization."""
    made = result.get_asset_materialization_events()[0].materialization
    tags = made.tags or {}
    return tags["dagster/data_version"], {key: value.value for key, value in made.metadata.items()}


def known(project: SmallProject) -> list[str]:
    return sorted(project.instance.get_dynamic_partitions("example_sets"))


def stored(project: SmallProject) -> list[str]:
    with project.open() as opened:
        return opened.store.example_sets()


def test_a_set_is_collected_once_refused_whole_and_forgotten_when_it_leaves(small_project: SmallProject) -> None:
    small_project.configure("examples: {faq: {files: [a.jsonl]}, rated: {kind: ratings}}")
    row = json.dumps({"question": "One?", "answer": "1"})
    small_project.write("a.jsonl", row)
    with small_project.open() as project:
        assert sync_example_sets(small_project.instance, project).added == ("faq", "rated")
    version, metadata = outcome(collect(small_project, "faq"))
    assert (metadata["dagster/partition_row_count"], metadata["examples_added"]) == (1, 1)
    assert "One?" in metadata["preview"]
    again, metadata = outcome(collect(small_project, "faq"))
    assert (again, metadata["table_versions_committed"]) == (version, 0)
    with small_project.open() as project:
        runs = project.ledger.stage_runs("training_examples", "faq")
        assert [run.data_version for run in runs] == [version], "the second run found the state that the first one left"

    small_project.write("a.jsonl", f"{row}\n{{broken\n{row}")
    failed = collect(small_project, "faq").get_step_failure_events()[0].step_failure_data.user_failure_data
    assert failed is not None
    assert "a.jsonl:2: it is no JSON object" in str(failed.description)
    assert "a.jsonl:3: the same question is in a.jsonl:1" in str(failed.description)
    with small_project.open() as project:
        assert project.store.training_examples("faq").count() == 1

    small_project.configure("examples: {rated: {kind: ratings}}")
    failed = collect(small_project, "faq").get_step_failure_events()[0].step_failure_data.user_failure_data
    assert failed is not None
    assert "There is no set of examples named 'faq'; configured sets: rated" in str(failed.description)
    with small_project.open() as project:
        assert sync_example_sets(small_project.instance, project).removed == ("faq",)
    assert (known(small_project), stored(small_project)) == (["rated"], [])


def test_the_sensor_forgets_a_set_that_two_looks_in_a_row_missed(small_project: SmallProject) -> None:
    cursor: str | None = None

    def look(settings: str) -> str:
        nonlocal cursor
        small_project.configure(settings)
        with small_project.open() as project:
            result = partitions.tick(project, small_project.instance, cursor)
        cursor = result.cursor
        assert result.skip_reason is not None
        return str(result.skip_reason.skip_message)

    both, one = "examples: {a: {kind: ratings}, b: {kind: golden}}", "examples: {a: {kind: ratings}}"
    assert "Sets of examples added: a, b." in look(both)
    for settings in (one, both, one):
        assert "forgotten" not in look(settings)
    assert known(small_project) == ["a", "b"]
    assert "Sets of examples forgotten: b." in look(one)
    assert known(small_project) == ["a"]


def test_events_never_repeat_secrets_and_personal_data(small_project: SmallProject) -> None:
    small_project.configure("examples: {faq: {files: [a.jsonl]}}")
    held = {"question": "Who is told?", "accepted": ["ann.lee" + "@kitchen-works.io"], "answer": "Ann Lee."}
    small_project.write("a.jsonl", json.dumps(held))
    with small_project.open() as project:
        sync_example_sets(small_project.instance, project)
    _, metadata = outcome(collect(small_project, "faq"))
    assert "Who is told?" in metadata["preview"] and "not shown, for it holds: email" in metadata["preview"]
    assert "ann.lee" not in str(metadata)
