from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rag_assets.config import RetrievalSettings
from rag_assets.store import Hit, search, with_neighbours
from rag_assets_tests.store.searching import Index, axis, row

WORDS = ["zero", "one", "two", "three", "four", "five", "six"]


def chunk(document: str, ordinal: int, **changes: Any) -> dict[str, Any]:
    text = f"{document} says {WORDS[ordinal]}"
    number = ordinal if document == "long" else 7
    made = row(document, text, axis(number)) | {"chunk_id": f"{document}-{ordinal}", "ordinal": ordinal}
    return made | {"page": ordinal + 1, "heading_path": [WORDS[ordinal]], "token_count": 10} | changes


@pytest.fixture(scope="module")
def handle(tmp_path_factory: pytest.TempPathFactory) -> Any:
    rows = [chunk("long", ordinal) for ordinal in range(7)] + [chunk("short", 0), chunk("short", 1)]
    return Index(tmp_path_factory.mktemp("neighbours")).write(rows)


def found(handle: Any, *numbers: int) -> list[Hit]:
    """The chunks of the long document with these ordinals, in this order."""
    settings = RetrievalSettings(mode="vector", k=1)
    return [search(handle, query="x", vector=axis(number), settings=settings)[0] for number in numbers]


def ids(hits: list[Hit]) -> list[str]:
    return [hit.chunk_id for hit in hits]


def test_a_passage_stands_between_its_neighbours_each_with_its_own_place(handle: Any) -> None:
    (anchor,) = found(handle, 3)
    before, same, after = with_neighbours(handle, [anchor], distance=1, most_tokens=1_000)
    assert same == anchor
    assert (before.chunk_id, before.text, before.page, before.heading_path) == ("long-2", "long says two", 3, ("two",))
    assert (after.chunk_id, after.text, after.page, after.heading_path) == ("long-4", "long says four", 5, ("four",))
    assert (after.score, after.vector_score, after.text_score) == (anchor.score, None, None)


def test_a_document_ends_where_it_ends(handle: Any) -> None:
    assert ids(with_neighbours(handle, found(handle, 0), distance=2, most_tokens=1_000)) == [
        "long-0",
        "long-1",
        "long-2",
    ]


def test_adjoining_passages_become_one_run_at_the_place_of_the_best(handle: Any) -> None:
    other = search(handle, query="x", vector=axis(7), settings=RetrievalSettings(mode="vector", k=1))
    hits = [*found(handle, 5), *other, *found(handle, 3)]
    expanded = with_neighbours(handle, hits, distance=1, most_tokens=1_000)
    assert ids(expanded) == ["long-2", "long-3", "long-4", "long-5", "long-6", "short-0", "short-1"]


def test_the_limit_is_spent_on_the_nearest_of_the_best(handle: Any) -> None:
    hits = found(handle, 5, 1)
    assert ids(with_neighbours(handle, hits, distance=2, most_tokens=30)) == [
        "long-4",
        "long-5",
        "long-6",
        "long-0",
        "long-1",
    ]
    assert with_neighbours(handle, hits, distance=2, most_tokens=9) == hits


def test_no_neighbours_asked_for_are_none(handle: Any) -> None:
    hits = found(handle, 5, 1)
    assert with_neighbours(handle, hits, distance=0, most_tokens=1_000) == hits
    assert with_neighbours(handle, [], distance=1, most_tokens=1_000) == []


def test_a_text_that_is_there_already_and_another_version_do_not_come(tmp_path: Path) -> None:
    handle = Index(tmp_path).write(
        [
            chunk("long", 1),
            chunk("long", 2, text="long says one"),
            chunk("long", 0, document_hash="another version"),
        ]
    )
    assert ids(with_neighbours(handle, found(handle, 1), distance=1, most_tokens=1_000)) == ["long-1"]


def test_neighbours_are_those_of_the_pinned_version(tmp_path: Path) -> None:
    index = Index(tmp_path)
    old = index.write([chunk("long", 1), chunk("long", 2)])
    index.write([chunk("long", 2, text="long says something new", row_hash="2")])
    assert [hit.text for hit in with_neighbours(old, found(old, 1), distance=1, most_tokens=99)][1] == "long says two"
    new = index.open()
    texts = [hit.text for hit in with_neighbours(new, found(new, 1), distance=1, most_tokens=99)]
    assert texts == ["long says one", "long says something new"]
