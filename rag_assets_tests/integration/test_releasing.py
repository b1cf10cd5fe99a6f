"""What a release must never do: bring back what was revoked, lose an answer, go back in time, or mix models."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
import pytest

from rag_assets import assets
from rag_assets.automation.runs import run_job
from rag_assets.releasing import roll_back
from rag_assets.resources.openai import ProviderResource
from rag_assets.resources.project import ProjectResource
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import found_texts, ingest, serving

ALL = [*assets.INGESTION_ASSETS, *assets.RELEASE_ASSETS]


def fact(name: str, color: str) -> str:
    return f"# Machine {name}\n\nThe color of machine {name} is {color}. It was built in Bergen.\n"


def materialize(project: SmallProject, *names: str, partition: str | None = None) -> dg.ExecuteInProcessResult:
    """What the UI does with a selection of assets."""
    return dg.materialize(
        ALL,
        selection=list(names),
        partition_key=partition,
        instance=project.instance,
        resources={"project": ProjectResource(), "models": ProviderResource()},
        raise_on_error=False,
    )


def reason(result: dg.ExecuteInProcessResult) -> str:
    data = result.get_step_failure_events()[0].step_failure_data.user_failure_data
    return str(data.description) if data else ""


def says(project: SmallProject, word: str) -> bool:
    return any(word in text for text in found_texts(project, f"color of the machine {word}"))


@pytest.fixture
def plant(small_project: SmallProject) -> SmallProject:
    small_project.configure(a="", b="")
    for name in ("a/1", "a/2", "a/3", "b/1"):
        small_project.write(f"{name}.md", fact(name, f"teal{name[0]}{name[2]}"))
    assert all(run.succeeded for run in ingest(small_project).runs)
    return small_project


def test_releasing_alone_does_not_bring_back_what_was_redacted(plant: SmallProject) -> None:
    path = plant.root / "a/1.md"
    path.unlink()
    ingest(plant, "a", release=False)
    assert not says(plant, "teala1")
    plant.write("a/1.md", fact("a/1", "withheld"))
    ingest(plant, "a", release=False)
    materialize(plant, "release")
    assert not says(plant, "teala1")
    ingest(plant)
    assert says(plant, "withheld")
    assert not says(plant, "teala1")


@pytest.mark.slow
def test_a_source_added_again_under_its_name_does_not_answer_from_its_former_folder(plant: SmallProject) -> None:
    plant.configure(b="")
    ingest(plant)
    plant.configure(a="", b="")
    for number in (1, 2, 3):
        (plant.root / f"a/{number}.md").unlink()
    plant.write("a/9.md", fact("a/9", "amber9"))
    outcome = ingest(plant)
    assert [run.error for run in outcome.runs] == [None, None, None]
    assert says(plant, "amber9")
    assert not says(plant, "teala1")


@pytest.mark.slow
def test_going_back_a_generation_while_a_source_fails_keeps_what_serves(plant: SmallProject) -> None:
    plant.configure("chunking: {max_tokens: 100}", a="", b="")
    plant.write("b/1.md", fact("b/1", "crimson"))
    ingest(plant)
    newer = serving(plant)
    assert says(plant, "crimson")
    plant.configure(a="", b="")
    (plant.root / "b").rename(plant.root / "moved")
    outcome = ingest(plant)
    assert outcome.release is not None and not outcome.release.succeeded
    assert "would go back to an older version" in str(outcome.release.error)
    assert serving(plant) == newer
    assert says(plant, "crimson")


def test_a_new_generation_that_loses_documents_is_not_released(
    plant: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag_assets.errors import InvalidRequestError
    from rag_assets.models.embedder import Embedder

    before = serving(plant)
    plant.configure("models: {embedding: {precision: fp32}}", a="", b="")
    refused = InvalidRequestError("the model refuses this text")
    monkeypatch.setattr(Embedder, "_refusal", lambda self, text, count: refused if "a/" in text else None)
    outcome = ingest(plant)
    assert outcome.release is not None
    assert "3 documents that answer now would be lost" in str(outcome.release.error)
    assert serving(plant) == before
    assert says(plant, "teala1")


def test_a_source_whose_documents_become_empty_does_not_hold_the_others(plant: SmallProject) -> None:
    for number in (1, 2, 3):
        plant.write(f"a/{number}.md", "")
    plant.write("b/2.md", fact("b/2", "amber2"))
    outcome = ingest(plant)
    assert [run.error for run in outcome.runs] == [None, None, None]
    assert says(plant, "amber2")
    assert not says(plant, "teala1")


def test_a_source_stopped_before_the_index_does_not_hold_the_others(plant: SmallProject) -> None:
    plant.write("b/2.md", fact("b/2", "amber2"))
    for name in ("raw_documents", "chunks", "embeddings"):
        assert materialize(plant, name, partition="b").success
    plant.write("a/4.md", fact("a/4", "olive4"))
    outcome = ingest(plant, "a")
    assert [run.error for run in outcome.runs] == [None, None]
    assert says(plant, "olive4")
    assert not says(plant, "amber2")
    ingest(plant, "b")
    assert says(plant, "amber2")


def test_a_document_that_the_index_step_dropped_blocks_the_snapshot(plant: SmallProject) -> None:
    before = serving(plant)
    plant.write("b/2.md", fact("b/2", "amber2"))
    ingest(plant, "b", release=False)
    with plant.open() as project:
        doomed = project.index.rows(["chunk_id"], where="uri = '2.md' AND source = 'b'")["chunk_id"].to_pylist()
        project.index.apply(None, doomed)
    outcome = ingest_release(plant)
    assert "1 chunks are missing" in str(outcome)
    assert serving(plant) == before


def ingest_release(project: SmallProject) -> str | None:
    """Only the releasing job; returns its error."""
    from rag_assets.definitions import defs

    return run_job(project.instance, defs.resolve_job_def("release_index"), "release").error


@pytest.mark.parametrize(
    "embedding", ["precision: fp32", "query_prefix: 'q: '", "provider: openai, model: m, dimension: 4"]
)
def test_releasing_alone_never_pairs_an_index_with_another_embedding_space(plant: SmallProject, embedding: str) -> None:
    before = serving(plant)
    extra = ", max_input_tokens: 100, tokenizer: cl100k_base" if "openai" in embedding else ""
    plant.configure(f"models: {{embedding: {{{embedding}{extra}}}}}", a="", b="")
    result = materialize(plant, "release")
    assert not result.success
    assert "of generation" in reason(result)
    assert serving(plant) == before


def test_a_lowered_budget_holds_for_embeddings_materialized_alone(plant: SmallProject) -> None:
    plant.configure(a="token_budget: 5", b="")
    result = materialize(plant, "embeddings", partition="a")
    assert not result.success
    assert "no verdict" in reason(result).lower()


def test_removed_documents_are_denied_before_anything_is_loaded(
    plant: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag_assets.documents import rows

    def crash(*_: Sequence[object], **__: object) -> None:
        raise MemoryError

    (plant.root / "a/1.md").unlink()
    plant.write("a/9.md", fact("a/9", "amber9"))
    monkeypatch.setattr(rows, "parse", crash)
    monkeypatch.setattr("dagster._core.definitions.policy.random", lambda: 0.0)
    outcome = ingest(plant, "a", release=False)
    assert not outcome.sources["a"].succeeded
    assert not says(plant, "teala1")


def test_a_file_stored_by_another_run_meanwhile_is_not_taken_for_removed(plant: SmallProject) -> None:
    from rag_assets.ingestion import sync_raw_documents

    with plant.open() as project:
        connector = project.connector("a")
        listing = connector.list

        class Slow:
            """Lists late: by then, without the lock, another run would have stored a new file."""

            def list(self):
                assert lock_is_held(project, "raw_documents__a")
                return listing()

            def load(self, uri):
                return connector.load(uri)

        sync_raw_documents(
            "a",
            project.settings.source("a"),
            connector=Slow(),
            table=project.store.raw_documents("a"),
            ledger=project.ledger,
        )


def lock_is_held(project, table: str) -> bool:
    from rag_assets.store.locks import held_locks

    return table in [lock.name for lock in held_locks(project.settings.data_path / "locks")]


def test_a_release_made_while_a_source_still_loads_brings_nothing_back(
    plant: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise MemoryError

    (plant.root / "a/1.md").unlink()
    plant.write("a/9.md", fact("a/9", "amber9"))
    monkeypatch.setattr("dagster._core.definitions.policy.random", lambda: 0.0)
    with monkeypatch.context() as patched:
        patched.setattr("rag_assets.documents.rows.parse", crash)
        ingest(plant, "a", release=False)
    plant.write("b/2.md", fact("b/2", "amber2"))
    ingest(plant, "b")
    assert says(plant, "amber2")
    assert not says(plant, "teala1")


@pytest.mark.slow
def test_going_back_does_not_bring_back_what_was_redacted(plant: SmallProject) -> None:
    first = serving(plant)
    (plant.root / "a/1.md").unlink()
    ingest(plant)
    plant.write("a/1.md", fact("a/1", "withheld"))
    ingest(plant)
    newest = serving(plant)
    assert says(plant, "withheld")
    for target, allowed in ((first, False), (newest, True)):
        with plant.open() as project:
            roll_back(project.store, project.ledger, sources=project.source_names, to=target, by="test", reason="")
        assert not says(plant, "teala1")
        assert says(plant, "tealb1")
        assert says(plant, "withheld") is allowed


def test_releasing_alone_does_not_bring_back_a_source_that_was_removed(plant: SmallProject) -> None:
    plant.configure(b="")
    with plant.open() as project:
        project.forget_source("a")
    plant.configure(a="", b="")
    materialize(plant, "release")
    assert not says(plant, "teala1")
    ingest(plant)
    assert says(plant, "teala1")


@pytest.mark.slow
def test_content_that_returns_before_its_index_step_does_not_hold_the_others(plant: SmallProject) -> None:
    first = fact("b/1", "tealb1")
    plant.write("b/1.md", fact("b/1", "crimson"))
    ingest(plant)
    plant.write("b/1.md", first)
    for name in ("raw_documents", "chunks", "embeddings"):
        assert materialize(plant, name, partition="b").success
    plant.write("a/4.md", fact("a/4", "olive4"))
    assert [run.error for run in ingest(plant, "a").runs] == [None, None]
    assert says(plant, "olive4")


def test_tables_that_are_gone_do_not_block_releases_for_ever(plant: SmallProject) -> None:
    import shutil

    shutil.rmtree(plant.root / ".rag_assets" / "lancedb")
    outcome = ingest(plant)
    assert [run.error for run in outcome.runs] == [None, None, None]
    assert says(plant, "teala1")


def test_a_snapshot_judged_before_another_release_is_not_released(plant: SmallProject) -> None:
    from rag_assets.assets.snapshot import snapshot_of

    plant.write("a/4.md", fact("a/4", "olive4"))
    ingest(plant, "a", release=False)
    with plant.open() as project:
        older = snapshot_of(project)
        verdict = project.ledger.verdict("completeness", older.snapshot_id)
        assert verdict is not None and verdict.details["against"] == serving(plant)
    plant.write("b/2.md", fact("b/2", "amber2"))
    ingest(plant)
    with plant.open() as project:  # as if the older one had been judged last
        project.ledger.record_verdict("completeness", older.snapshot_id, True, verdict.details)
    result = materialize(plant, "release")
    assert not result.success
    assert "was judged before release" in reason(result)
    assert says(plant, "amber2")


def test_unchanged_runs_add_one_verdict_each(plant: SmallProject) -> None:
    def verdicts() -> int:
        with plant.open() as project, project.ledger.reading() as connection:
            return int(connection.exec_driver_sql("select count(*) from verdicts").scalar_one())

    ingest(plant)
    before = verdicts()
    ingest(plant)
    ingest(plant)
    assert verdicts() == before + 2
