"""Another chunker or model: built from what is stored, said beforehand, released, and left again for nothing."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from rag_assets.cli.ingest import ingest as ingest_command
from rag_assets.releasing import roll_back
from rag_assets_tests.cli.command import rag_assets
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import found_texts, ingest, serving
from rag_assets_tests.integration.test_second_run import NAMES, opened_documents

SMALLER = "chunking: {max_tokens: 64}"
OTHER_MODEL = "models: {embedding: {precision: fp32}}"


@pytest.fixture
def kitchen(small_project: SmallProject) -> SmallProject:
    """One source with three documents of several chunks each, released."""
    small_project.configure(kitchen="")
    for name in sorted(NAMES):
        parts = "".join(
            f"## Drawer {n}\n\n" + f"In drawer {n} of {name} lies a tool of tin. " * 9 + "\n\n" for n in range(3)
        )
        small_project.write(f"kitchen/{name}", f"# {name}\n\n{parts}")
    ingest(small_project)
    return small_project


def commits(made: dict[str, dict[str, Any]]) -> dict[str, int]:
    return {asset: one["table_versions_committed"] for asset, one in made.items()}


def go_back(project: SmallProject) -> str:
    with project.open() as opened:
        return roll_back(
            opened.store, opened.ledger, sources=opened.source_names, to=None, by="a test", reason="as before"
        ).release_id


def test_another_chunker_is_built_from_what_is_stored_and_left_for_nothing(kitchen: SmallProject) -> None:
    old, texts, paid = serving(kitchen), found_texts(kitchen, "tin tool"), kitchen.embedded_texts()
    kitchen.configure(SMALLER, kitchen="")
    with opened_documents() as heard:
        outcome = ingest(kitchen)
    made = outcome.sources["kitchen"].materialized
    new = serving(kitchen)
    assert (heard, new != old, outcome.release and outcome.release.succeeded) == ([], True, True)
    assert made["chunks"]["texts_to_embed"] == made["embeddings"]["texts_embedded"] > 3
    assert made["chunks"]["tokens_to_embed"] == made["embeddings"]["tokens"]
    assert made["chunks"]["cost_to_embed_usd"] == 0.0
    assert made["vector_index"]["generation_changed"] is True
    assert made["vector_index"]["generation_change"].endswith(", which serves: chunking.max_tokens 240 → 64")
    assert outcome.release is not None
    assert outcome.release.materialized["index_snapshot"]["generation_changed"] is True
    assert kitchen.embedded_texts() > paid
    assert set(found_texts(kitchen, "tin tool")).isdisjoint(texts)

    bought, versions = kitchen.embedded_texts(), kitchen.lance_versions()
    with opened_documents() as heard:
        assert go_back(kitchen) == old == serving(kitchen)
        assert (kitchen.embedded_texts(), kitchen.lance_versions(), heard) == (bought, versions, [])
        assert found_texts(kitchen, "tin tool") == texts
    assert (kitchen.embedded_texts() - bought, kitchen.lance_versions()) == (1, versions)  # the question, alone

    kitchen.configure(kitchen="")
    with opened_documents() as heard:
        outcome = ingest(kitchen)
    made = outcome.sources["kitchen"].materialized
    assert (heard, kitchen.embedded_texts() - bought, serving(kitchen)) == ([], 1, old)
    changed = {asset: count for asset, count in commits(made).items() if count}
    assert list(changed) == ["chunks"]  # the index of the former chunks is as it was
    assert made["chunks"]["texts_to_embed"] == 0
    assert made["vector_index"]["generation_changed"] is False


def test_an_earlier_release_is_asked_with_the_model_it_was_embedded_with(kitchen: SmallProject) -> None:
    texts = found_texts(kitchen, "tin tool")
    with kitchen.open() as opened:
        first = opened.release().space
    kitchen.configure(OTHER_MODEL, kitchen="")
    outcome = ingest(kitchen)
    assert (
        "embedding precision int8 → fp32"
        in outcome.sources["kitchen"].materialized["vector_index"]["generation_change"]
    )
    with kitchen.open() as opened:
        assert opened.release().space != first
    go_back(kitchen)
    with kitchen.open() as opened:
        assert opened.release().space == first
        with opened.retriever(opened.release()) as retriever:
            assert retriever.embedder.space.name == first  # type: ignore[attr-defined]
    assert found_texts(kitchen, "tin tool") == texts


@pytest.mark.slow
def test_the_command_says_what_another_generation_takes(
    kitchen: SmallProject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(kitchen.root / "home"))
    kitchen.configure(SMALLER, kitchen="")
    ingest_command(as_json=True)
    printed = capsys.readouterr()
    summary = json.loads(printed.out)
    said = summary["generation"]
    assert (said["new"], said["exact"], said["changed"]) == (True, True, ["chunking.max_tokens 240 → 64"])
    assert said["tokens_to_embed"] == summary["sources"]["kitchen"]["tokens"] > 0
    assert f"texts with {said['tokens_to_embed']:,} tokens to embed, 0.00 USD" in printed.err
    ingest_command(as_json=True)
    printed = capsys.readouterr()
    assert (json.loads(printed.out)["generation"], printed.err) == (None, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "place",
    [
        "store.between_upsert_and_delete",  # some chunks are cut anew, and the former ones are still there
        "embeddings.between_received_and_stored@2",
        "store.during_index_build",
        "snapshot.between_pin_and_ledger",
    ],
)
def test_a_generation_that_was_killed_while_it_was_built_is_finished(kitchen: SmallProject, place: str) -> None:
    old, texts = serving(kitchen), found_texts(kitchen, "tin tool")
    kitchen.configure(f"{SMALLER}\nmodels: {{embedding: {{batch_size: 4}}}}", kitchen="")
    environment = {
        "DAGSTER_HOME": str(kitchen.root / "home"),
        "RAG_ASSETS_EMBEDDED_REQUEST_LOG": str(kitchen.request_log),
    }
    killed = rag_assets(kitchen.root, "ingest", RAG_ASSETS_FAILPOINT=place, **environment)
    assert killed.code == -9, (killed.code, killed.err)
    assert (serving(kitchen), found_texts(kitchen, "tin tool")) == (old, texts)
    done = rag_assets(kitchen.root, "ingest", "--json", **environment)
    assert done.code == 0, done.err
    assert serving(kitchen) == done.json["release"] != old
    assert max(Counter(embedded_inputs(kitchen)).values()) == 1


def embedded_inputs(project: SmallProject) -> list[str]:
    """The hashes of all chunks that the model was asked for, one question left out."""
    requests = [json.loads(line) for line in project.request_log.read_text("utf-8").splitlines()]
    with project.open() as opened:
        space = opened.generation.space
        stored = opened.store.embeddings(space.name, space.dimension).rows(columns=["input_hash"])
    known = set(stored["input_hash"].to_pylist())
    return [key for request in requests for key in request["input_sha256"] if key in known]
