"""A run that finds nothing new does nothing: not even one document is opened."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import ingest

NAMES = {"fork.md", "ladle.md", "whisk.md"}
_listening: list[list[str]] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _listening and event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        name = os.path.basename(os.fsdecode(arguments[0]))  # noqa: PTH119  # Path would cost much more for each event
        _listening[-1].extend([name] if name in NAMES else [])


sys.addaudithook(_hear)  # there is no taking it back; it is deaf outside of `opened_documents`


@contextmanager
def opened_documents() -> Iterator[list[str]]:
    """The documents that Python opens meanwhile, as its own audit events tell."""
    heard: list[str] = []
    _listening.append(heard)
    yield heard
    _listening.pop()


@pytest.fixture
def kitchen(small_project: SmallProject) -> SmallProject:
    """One source with three documents, not ingested yet."""
    small_project.configure(kitchen="")
    for name in NAMES:
        small_project.write(f"kitchen/{name}", f"# {name}\n\nIt is kept in the drawer of {name}.\n")
    return small_project


def test_a_second_run_opens_no_document(kitchen: SmallProject) -> None:
    with opened_documents() as heard:
        first = ingest(kitchen).sources["kitchen"].materialized["raw_documents"]
    assert (first["documents_opened"], set(heard)) == (3, NAMES)
    with opened_documents() as heard:
        second = ingest(kitchen).sources["kitchen"].materialized["raw_documents"]
    assert (second["documents_opened"], heard) == (0, [])
    assert second["documents_unchanged"] == 3


def test_a_touched_document_is_opened_and_nothing_more_comes_of_it(kitchen: SmallProject) -> None:
    ingest(kitchen)
    embedded = kitchen.embedded_texts()
    os.utime(kitchen.root / "kitchen/fork.md", (1, 1))
    with opened_documents() as heard:
        outcome = ingest(kitchen)
    documents = outcome.sources["kitchen"].materialized["raw_documents"]
    assert (documents["documents_opened"], set(heard)) == (1, {"fork.md"})
    assert (documents["documents_changed"], documents["documents_unchanged"]) == (0, 3)
    assert outcome.sources["kitchen"].materialized["chunks"]["table_versions_committed"] == 0
    assert kitchen.embedded_texts() == embedded
    with opened_documents() as heard:
        ingest(kitchen)
    assert heard == []
