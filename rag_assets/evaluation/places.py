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

COLUMNS = ["source", "uri", "heading_path", "page", "text"]
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
    places = (place for question in questions for place in question.expected)
    documents = _documents(handle, possible_uris(places), sources)
    found: dict[str, tuple[str, ...]] = {}
    orphaned: dict[str, str] = {}
    for question in questions:
        at: set[str] = set()
        missing = []
        for place in question.expected:
            named = [
                one
                for uri in possible_uris([place])
                for one in documents[uri]
                if names_document(place, one.source, uri)
            ]
            if any(holds_part(place, **part) for one in named for part in one.parts):
                at.update(one.source for one in named)
            else:
                missing.append(_missing(place, bool(named)))
        found[question.question_id] = tuple(sorted(at))
        if missing:
            orphaned[question.question_id] = "; ".join(missing)
    return Placement(found, orphaned)


@dataclass(frozen=True, slots=True)
class _Document:
    """A document of a source, and of each of its passages what `holds_part` asks for."""

    source: str
    parts: list[dict[str, Any]]


def _documents(handle: Any, uris: set[str], sources: Sequence[str] | None) -> dict[str, list[_Document]]:
    """Uri → the documents that have it, one for each source; empty for those that are not there."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for group in in_groups(sorted(uris) if sources is None or sources else []):
        where = any_of("uri", group)
        if sources:
            where = f"{where} AND {any_of('source', sorted(sources))}"
        for batch in handle.search().select(COLUMNS).where(where).to_batches(READ_ROWS):
            for row in batch.to_pylist():
                found[row.pop("uri"), row.pop("source")].append(row)
    documents: dict[str, list[_Document]] = defaultdict(list)
    for (uri, source), parts in sorted(found.items(), key=lambda one: one[0]):
        documents[uri].append(_Document(source, parts))
    return documents


def possible_uris(places: Iterable[Expected]) -> set[str]:
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
