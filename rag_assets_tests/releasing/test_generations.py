"""Two generations side by side: the old one serves while the new one is built, and goes when nothing needs it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from rag_assets import failpoints
from rag_assets.cli.generations import list_generations
from rag_assets.errors import NoReleaseError, StoreError
from rag_assets.releasing import prune, roll_back
from rag_assets.releasing.generations import DroppedTables, drop_unneeded, generations
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.releasing.stages import candidate, found_texts, ingest, refresh, serving

TEXT = "# Tea\n\n" + "".join(f"## Cup {n}\n\n" + f"Cup {n} is brewed at ninety degrees. " * 12 for n in range(4))


@pytest.fixture
def two(small_project: SmallProject) -> tuple[SmallProject, list[str]]:
    """A project released with chunks of 240 tokens and then of 64; its releases, oldest first."""
    small_project.write("wiki/tea.md", TEXT)
    small_project.configure(wiki="")
    first = refresh(small_project)
    small_project.configure("chunking: {max_tokens: 64}", wiki="")
    return small_project, [first, refresh(small_project)]


def dropped(project: SmallProject, *, days: int, embeddings: int | None = None, keep: int = 1) -> DroppedTables:
    """What the upkeep removes so many days from now."""
    now = datetime.now(UTC) + timedelta(days=days)
    with project.open() as opened:
        store, ledger = opened.store, opened.ledger
        prune(store, ledger, keep=keep, keep_days=0, now=now)
        return drop_unneeded(store, ledger, opened.generation, keep_days=30, keep_embeddings_days=embeddings, now=now)


def tables(project: SmallProject) -> set[str]:
    with project.open() as opened:
        return {name for name in opened.store.table_names() if name.startswith(("vector_index", "embeddings"))}


def test_each_is_shown_with_what_needs_it(
    two: tuple[SmallProject, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    project, (first, second) = two
    with project.open() as opened:
        new, old = generations(opened.store, opened.ledger, opened.generation)
    assert (new.serving, new.configured, new.releases) == (True, True, (second,))
    assert (old.serving, old.configured, old.needed, old.releases) == (False, False, True, (first,))
    assert (new.parts["chunking"]["max_tokens"], old.parts["chunking"]["max_tokens"]) == (64, 240)
    assert old.bytes > 0 and new.rows > old.rows > 0
    list_generations()
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  releases: ")[2] for line in lines] == [f"{second}  (configured)", first]
    assert lines[0].startswith(f"* {new.generation}") and " 64 tokens a chunk" in lines[0]
    list_generations(as_json=True)
    assert [one["generation"] for one in json.loads(capsys.readouterr().out)] == [new.generation, old.generation]


def test_what_a_rollback_goes_to_stays_however_old(two: tuple[SmallProject, list[str]]) -> None:
    project, (first, _) = two
    before = tables(project)
    assert dropped(project, days=400) == DroppedTables()
    assert tables(project) == before
    with project.open() as opened:
        roll_back(opened.store, opened.ledger, sources=["wiki"], to=None, by="a test", reason="")
    assert serving(project) == first
    assert len(found_texts(project, "cup 2")) == len(set(found_texts(project, "cup 2"))) > 0


def test_an_index_goes_when_its_last_release_was_let_go_long_enough_ago(
    two: tuple[SmallProject, list[str]],
) -> None:
    project, (first, second) = two
    before, paid = tables(project), project.embedded_texts()
    project.write("wiki/tea.md", TEXT + "\n\nAnother line.\n")
    third = refresh(project)  # now a rollback goes to the second
    with project.open() as opened:
        old = next(row for row in generations(opened.store, opened.ledger, opened.generation) if not row.configured)
    assert dropped(project, days=0) == DroppedTables()  # let go of now, and it stays for 30 days
    with project.open() as opened, pytest.raises(NoReleaseError, match="was pruned"):
        roll_back(opened.store, opened.ledger, sources=["wiki"], to=first, by="a test", reason="")
    gone = dropped(project, days=31)
    assert (gone.tables, gone.bytes) == ((f"vector_index__{old.generation}",), old.bytes)
    assert before - tables(project) == set(gone.tables)
    assert serving(project) == third and found_texts(project, "another line")
    bought = project.embedded_texts()
    project.configure(wiki="")
    fourth = refresh(project)  # the former chunks again: their vectors are still there
    assert fourth not in (first, second, third)
    assert project.embedded_texts() - bought <= 2 < paid  # the question of found_texts, and the chunk of the new line


def test_vectors_go_only_when_that_is_asked_for(two: tuple[SmallProject, list[str]]) -> None:
    project, _ = two
    project.configure("models: {embedding: {precision: fp32}}", wiki="")
    refresh(project)
    project.write("wiki/tea.md", TEXT + "\n\nAnother line.\n")
    refresh(project)
    spaces = {name for name in tables(project) if name.startswith("embeddings")}
    assert len(spaces) == 2
    dropped(project, days=0)
    gone = dropped(project, days=400)
    assert len(gone.tables) == 2
    assert {name for name in tables(project) if name.startswith("embeddings")} == spaces
    gone = dropped(project, days=400, embeddings=90)
    assert [name.partition("-fp32")[1] for name in gone.tables] == [""]
    assert len({name for name in tables(project) if name.startswith("embeddings")}) == 1
    assert found_texts(project, "another line")


def test_an_index_that_was_never_released_goes_too(two: tuple[SmallProject, list[str]]) -> None:
    project, (_, second) = two
    project.configure("chunking: {max_tokens: 100}", wiki="")
    with project.open() as opened:
        ingest(opened)
        given_up = opened.index.name
    project.configure("chunking: {max_tokens: 64}", wiki="")
    assert dropped(project, days=29) == DroppedTables()
    assert dropped(project, days=31).tables == (given_up,)
    assert serving(project) == second


def test_chunks_that_were_cut_in_part_harm_neither_release_nor_snapshot(
    two: tuple[SmallProject, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, (_, second) = two
    texts = found_texts(project, "cup 2")

    def die() -> None:
        raise RuntimeError("killed")

    project.configure("chunking: {max_tokens: 100}", wiki="")
    with monkeypatch.context() as patched, project.open() as opened, pytest.raises(StoreError, match="killed"):
        patched.setenv(failpoints.VARIABLE, "store.between_upsert_and_delete")
        patched.setattr(failpoints, "_hits", Counter())
        patched.setattr(failpoints, "_die", die)
        ingest(opened)
    with project.open() as opened:
        cut = opened.store.chunks("wiki").rows(columns=["generation"])["generation"].to_pylist()
        assert len(set(cut)) == 2  # of both ways of cutting
        with pytest.raises(NoReleaseError, match="Nothing is indexed yet"):
            candidate(opened)
    assert (serving(project), found_texts(project, "cup 2")) == (second, texts)
    project.configure("chunking: {max_tokens: 64}", wiki="")
    with project.open() as opened:  # a snapshot of the configuration of before is the one that serves
        assert candidate(opened).release_id == second
    project.configure("chunking: {max_tokens: 100}", wiki="")
    paid = project.embedded_texts()
    third = refresh(project)
    assert serving(project) == third != second
    with project.open() as opened:
        chunks = opened.store.chunks("wiki").rows(columns=["generation", "input_hash"])
        assert set(chunks["generation"].to_pylist()) == {opened.generation.chunking_id}
        assert project.embedded_texts() - paid <= len(set(chunks["input_hash"].to_pylist()))
