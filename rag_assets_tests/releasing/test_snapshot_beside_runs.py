"""A snapshot that is taken while a source is ingested is judged by what was there when it was pinned."""

from __future__ import annotations

from typing import Any

import pytest

from rag_assets.ingestion import chunks_version
from rag_assets.releasing import take_snapshot
from rag_assets.releasing.coverage import compare
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.releasing.stages import found_texts, ingest, refresh


def test_a_run_that_ends_between_pinning_and_judging_fails_no_gate(
    small_project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_project.configure(kitchen="")
    small_project.write("kitchen/fork.md", "# Fork\n\nIt has four tines.\n")
    refresh(small_project)
    judged: list[int] = []

    def interrupted(*arguments: Any) -> Any:
        judged.append(1)
        if len(judged) == 1:  # another run adds a document, up to its rows in the index
            small_project.write("kitchen/ladle.md", "# Ladle\n\nIt is for soup.\n")
            with small_project.open() as other:
                ingest(other)
        store, ledger, generation, _, pinned = arguments
        chunks = chunks_version("kitchen", store.chunks("kitchen"), generation)
        return compare(store, ledger, generation, {"kitchen": chunks}, pinned)

    monkeypatch.setattr("rag_assets.releasing.snapshot.compare", interrupted)
    with small_project.open() as project:
        result = take_snapshot(
            project.store,
            project.ledger,
            generation=project.generation,
            sources=project.source_names,
            retrieval=project.settings.retrieval,
        )
    assert (result.passed, result.documents, len(judged)) == (True, 2, 2)
    refresh(small_project)
    assert any("soup" in text for text in found_texts(small_project, "ladle"))
