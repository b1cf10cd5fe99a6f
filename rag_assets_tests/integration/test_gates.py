"""A gate stops the next step, keeps what there is, and holds however the next step is started."""

from __future__ import annotations

from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest

from rag_assets.assets import embeddings, index_snapshot, release
from rag_assets.automation.runs import run_job
from rag_assets.definitions import defs
from rag_assets.resources.openai import ProviderResource
from rag_assets.resources.project import ProjectResource
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import found_texts, ingest, serving

BREAD = "# Bread\n\nRye bread needs a sourdough starter that is fed twice a day.\n"
TEA = "# Tea\n\nGreen tea is brewed at eighty degrees for two minutes.\n"
LONG = "# Long\n\n" + "\n\n".join(f"Paragraph {n} says that barrel {n} holds {n} litres of cider." for n in range(60))
RESOURCES: dict[str, Any] = {"project": ProjectResource(), "models": ProviderResource()}


@pytest.fixture
def kitchen(small_project: SmallProject) -> SmallProject:
    """One source with two documents, released."""
    small_project.configure(kitchen="")
    small_project.write("kitchen/bread.md", BREAD)
    small_project.write("kitchen/tea.md", TEA)
    assert all(run.succeeded for run in ingest(small_project).runs)
    return small_project


def materialize_alone(project: SmallProject, asset: dg.AssetsDefinition, partition_key: str | None = None) -> str:
    """Materializes one asset and nothing else; returns the sentence it failed with, or nothing."""
    result = dg.materialize(
        [asset],
        instance=project.instance,
        resources=RESOURCES,
        partition_key=partition_key,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    if result.success:
        return ""
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    user_data = failures[0].user_failure_data
    assert user_data is not None, failures[0].error
    return str(user_data.description)


def still_served(project: SmallProject, before: str | None) -> bool:
    """Whether the release `before` serves, and still answers."""
    with project.open() as opened:
        answer = opened.ask("At how many degrees is green tea brewed?")
    return answer.release == before == serving(project) and "eighty degrees" in answer.answer


def raw_index(project: SmallProject) -> Any:
    """The index as LanceDB has it, to spoil it behind the project's back."""
    import lancedb

    with project.open() as opened:
        generation = opened.generation
        name = opened.store.vector_index(generation.id, generation.space.dimension).name
        return lancedb.connect(opened.settings.store_uri).open_table(name)


def test_over_its_token_budget_a_source_keeps_its_chunks_and_pays_for_nothing(kitchen: SmallProject) -> None:
    before, paid = serving(kitchen), kitchen.embedded_texts()
    kitchen.configure(kitchen="token_budget: 200")
    kitchen.write("kitchen/long.md", LONG)
    outcome = ingest(kitchen)
    run = outcome.sources["kitchen"]
    assert not run.succeeded
    assert str(run.error).startswith("The check 'token_budget' failed: ")
    assert "exceed the source's token_budget of 200" in str(run.error)
    assert set(run.materialized) == {"raw_documents", "chunks"}
    assert run.materialized["raw_documents"]["documents_added"] == 1
    assert run.materialized["chunks"]["chunks_added"] > 2
    refusal = materialize_alone(kitchen, embeddings, "kitchen")
    assert refusal.startswith("The gate 'token_budget' failed for chunks/kitchen@")
    assert "Raise token_budget" in refusal
    assert kitchen.embedded_texts() == paid
    assert outcome.release is not None
    assert outcome.release.succeeded
    assert outcome.release.materialized["index_snapshot"]["sources_behind"] == "kitchen"
    assert still_served(kitchen, before)
    kitchen.configure(kitchen="")
    assert all(run.succeeded for run in ingest(kitchen).runs)
    assert any("cider" in text for text in found_texts(kitchen, "litres of cider"))


def test_chunks_that_were_never_judged_are_not_embedded(kitchen: SmallProject) -> None:
    with kitchen.open() as project:
        table = project.store.chunks("kitchen")
        table.apply(None, [table.rows()["chunk_id"][0].as_py()])
    refusal = materialize_alone(kitchen, embeddings, "kitchen")
    assert refusal.startswith("There is no verdict of the gate 'token_budget' for chunks/kitchen@")


def lose_a_row(table: Any) -> str:
    table.delete(f"chunk_id = '{table.to_arrow()['chunk_id'][0].as_py()}'")
    return "completeness"


def double_a_row(table: Any) -> str:
    table.add(table.to_arrow().slice(0, 1))
    return "completeness"


def zero_a_vector(table: Any) -> str:
    return _spoil_a_vector(table, 0.0)


def lose_a_number(table: Any) -> str:
    return _spoil_a_vector(table, float("nan"))


def stretch_a_vector(table: Any) -> str:
    return _spoil_a_vector(table, 1.0)


def _spoil_a_vector(table: Any, number: float) -> str:
    rows = table.to_arrow().slice(0, 1)
    position, field = rows.schema.get_field_index("vector"), rows.schema.field("vector")
    numbers = pa.array(np.full(field.type.list_size, number, np.float32))
    spoilt = rows.set_column(position, field, pa.FixedSizeListArray.from_arrays(numbers, field.type.list_size))
    merge = table.merge_insert("chunk_id").when_matched_update_all()
    merge.execute(spoilt, on_bad_vectors="fill", fill_value=number)
    # What makes a snapshot another one is the hash of its rows.
    table.update(where=f"chunk_id = '{rows['chunk_id'][0].as_py()}'", values={"row_hash": "spoilt"})
    return "embedding_integrity"


SPOILERS = [lose_a_row, double_a_row, zero_a_vector, lose_a_number, stretch_a_vector]


@pytest.mark.parametrize("spoil", SPOILERS)
def test_a_spoilt_index_is_not_released_however_that_is_started(kitchen: SmallProject, spoil: Any) -> None:
    before = serving(kitchen)
    gate = spoil(raw_index(kitchen))
    assert materialize_alone(kitchen, index_snapshot) == ""
    refusal = materialize_alone(kitchen, release)
    assert refusal.startswith(f"The gate '{gate}' failed for ")
    assert still_served(kitchen, before)
    with kitchen.open() as project:
        assert len(project.ledger.releases()) == 1
    assert [run.error for run in ingest(kitchen).runs] == [None, None]
    assert still_served(kitchen, before)


def test_the_release_job_stops_at_the_check_of_a_spoilt_index(kitchen: SmallProject) -> None:
    before = serving(kitchen)
    double_a_row(raw_index(kitchen))
    outcome = run_job(kitchen.instance, defs.resolve_job_def("release_index"), "release")
    assert str(outcome.error).startswith("The check 'completeness' failed: 1 rows are duplicates")
    assert {"eval_report", "release"}.isdisjoint(outcome.materialized)
    assert still_served(kitchen, before)
