"""Where a snapshot has what golden questions expect, and which of it is gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rag_assets.evaluation.model import Expected, GoldenQuestion
from rag_assets.evaluation.retrieval_metrics import holds_part, names_document
from rag_assets.evaluation.squad import UNPLACED
from rag_assets.store.sql import any_of, in_groups

COLUMNS = ["source", "uri", "heading_path", "page"]
READ_ROWS = 1_024


@dataclass(frozen=True, slots=True)
class Placement:
    """Question id → the sources of its expected documents, and question id → what is missing.

    A question is orphaned when any place it expects is gone: what is left answers a part of it at best.
    """

    sources: dict[str, tuple[str, ...]]
    orphaned: dict[str, str]


def place_questions(handle: Any, questions: Sequence[GoldenQuestion], sources: Sequence[str] | None) -> Placement:
    """Looks for what `questions` expect in the table version that `handle` has open, in `sources` or all of them."""
    parts = _parts(handle, _uris(place for question in questions for place in question.expected), sources)
    found: dict[str, tuple[str, ...]] = {}
    orphaned: dict[str, str] = {}
    for question in questions:
        at: set[str] = set()
        missing = []
        for place in question.expected:
            documents = [
                parts[key] for uri in _uris([place]) for key in parts.by_uri(uri) if names_document(place, *key)
            ]
            if any(holds_part(place, *part) for document in documents for part in document.parts):
                at.update(document.source for document in documents)
            else:
                missing.append(_missing(place, bool(documents)))
        found[question.question_id] = tuple(sorted(at))
        if missing:
            orphaned[question.question_id] = "; ".join(missing)
    return Placement(found, orphaned)


@dataclass(frozen=True, slots=True)
class _Document:
    source: str
    parts: set[tuple[tuple[str, ...], int | None]]


class _Parts(dict[tuple[str, str], _Document]):
    """(source, uri) → the distinct headings and pages of its passages."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: dict[str, set[tuple[str, str]]] = defaultdict(set)

    def add(self, source: str, uri: str, part: tuple[tuple[str, ...], int | None]) -> None:
        self.setdefault((source, uri), _Document(source, set())).parts.add(part)
        self._keys[uri].add((source, uri))

    def by_uri(self, uri: str) -> list[tuple[str, str]]:
        return sorted(self._keys.get(uri, ()))


def _parts(handle: Any, uris: Iterable[str], sources: Sequence[str] | None) -> _Parts:
    parts = _Parts()
    if sources is not None and not sources:
        return parts
    for group in in_groups(sorted(uris)):
        where = any_of("uri", group)
        if sources is not None:
            where = f"{where} AND {any_of('source', sorted(sources))}"
        for batch in handle.search().select(COLUMNS).where(where).to_batches(READ_ROWS):
            for row in batch.to_pylist():
                parts.add(row["source"], row["uri"], (tuple(row["heading_path"]), row["page"]))
    return parts


def _uris(places: Iterable[Expected]) -> set[str]:
    """What the documents of `places` may be called: `a/b` may be `a/b` of any source, or `b` of the source `a`."""
    whole = {place.uri for place in places}
    return whole | {uri.partition("/")[2] for uri in whole if "/" in uri and not uri.startswith("/")} - {""}


def _missing(place: Expected, document_is_there: bool) -> str:
    if place.uri.startswith(UNPLACED):
        return f"no document holds its paragraph {place.uri.removeprefix(UNPLACED).strip()!r}"
    name = f"{place.source}/{place.uri}" if place.source else place.uri
    if not document_is_there:
        return f"the document {name} is not in the snapshot"
    part = [f"under the heading {place.heading!r}"] if place.heading is not None else []
    part += [f"on page {place.page}"] if place.page is not None else []
    return f"{name} has nothing {' '.join(part)} any more"
