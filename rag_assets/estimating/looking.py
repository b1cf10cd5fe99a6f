"""Looks at the documents of a source that are due: at all of them, or at a sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rag_assets import schemas
from rag_assets.config import SourceSettings
from rag_assets.documents.connectors import Connector
from rag_assets.documents.model import Listed
from rag_assets.estimating.chunks import Cut, Cutter, KeptChunks, State, cut_document, stays, stored_documents
from rag_assets.estimating.documents import DocumentsPlan, Opened, Row, id_of, open_documents
from rag_assets.estimating.sampling import MINIMUM, Sample
from rag_assets.ingestion.difference import is_chunking_due
from rag_assets.store import Table


@dataclass(frozen=True, slots=True)
class Limit:
    """How much is looked at: everything while the due text has at most `characters`, else `documents` of a source.

    With `documents` None nothing is ever sampled.
    """

    documents: int | None
    characters: int


@dataclass(frozen=True, slots=True)
class Picked:
    """The due documents that are looked at, to be opened or only to be cut. `documents` and `skipped` are ids.

    `opening` takes what the former give, by uri, `cutting` what the latter give, by id.
    """

    opened: list[Listed]
    cut: list[Row]
    opening: Sample
    cutting: Sample
    documents: frozenset[str]
    skipped: frozenset[str]


def pick(name: str, plan: DocumentsPlan, to_cut: Sequence[Row], limit: Limit) -> Picked:
    """All that is due, or the same share of what must be opened and of what need only be cut."""
    due = len(plan.due) + len(to_cut)
    size = sum(map(plan.size_of, plan.due)) + sum(row["characters"] for row in to_cut)
    wanted = due
    if limit.documents is not None and size > limit.characters:
        wanted = min(due, max(limit.documents, MINIMUM))
    opening = Sample({item.uri: plan.size_of(item) for item in plan.due}, _share(wanted, due, len(plan.due)))
    cutting = Sample({row["document_id"]: row["characters"] for row in to_cut}, _share(wanted, due, len(to_cut)))
    items = [item for item in plan.due if item.uri in opening.picked]
    rows = [row for row in to_cut if row["document_id"] in cutting.picked]
    documents = {id_of(name, item) for item in items} | cutting.picked
    every = {id_of(name, item) for item in plan.due} | {row["document_id"] for row in to_cut}
    return Picked(items, rows, opening, cutting, frozenset(documents), frozenset(every - documents))


def _share(wanted: int, due: int, part: int) -> int:
    """How many of `part` are looked at when `wanted` of `due` are; enough of each part to know its spread."""
    return min(part, max(MINIMUM, -(-wanted * part // due))) if part else 0


@dataclass(slots=True)
class Tally:
    """What the documents that were looked at gave, besides the figures that the samples have.

    `unreadable` ones could not be loaded or parsed, `uncut` ones not be cut. `counts`: the tokens of each new input.
    """

    add: int = 0
    change: int = 0
    opened: int = 0
    unreadable: int = 0
    uncut: int = 0
    counts: list[int] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)

    def take(self, sample: Sample, key: str, cut: Cut) -> None:
        """One document of a sample."""
        sample.add(key, cut.figures)
        self.counts += cut.counts
        self.pairs += cut.pairs
        self.uncut += cut.failed


@dataclass(frozen=True, slots=True)
class Looking:
    """Everything that looking at the picked documents of a source takes."""

    name: str
    source: SourceSettings
    connector: Connector
    raw_documents: Table
    plan: DocumentsPlan
    states: Mapping[str, Sequence[State]]
    kept: KeptChunks
    cutter: Cutter

    def look(self, picked: Picked, tally: Tally) -> Iterator[int]:
        """Looks at one document after another; yields how many were looked at."""
        done = 0
        for opened in open_documents(self.name, self.source, self.connector, self.plan, picked.opened):
            self._count(opened, tally)
            tally.take(picked.opening, opened.item.uri, self._cut(opened))
            done += 1
            yield done
        keys = [row["document_id"] for row in picked.cut]
        for row in stored_documents(self.raw_documents, keys, schemas.RAW_DOCUMENTS.names):
            had = self.kept.of_document[row["document_id"]]
            tally.take(picked.cutting, row["document_id"], cut_document(row, had, self.cutter))
            done += 1
            yield done

    def _count(self, opened: Opened, tally: Tally) -> None:
        known = opened.item.uri in self.plan.stored
        tally.opened += 1
        tally.unreadable += opened.failed
        tally.add += opened.is_new_row and not known
        tally.change += opened.is_new_row and known

    def _cut(self, opened: Opened) -> Cut:
        key, row = id_of(self.name, opened.item), opened.row
        had = self.kept.of_document[key]
        if not opened.is_new_row and row is not None:
            due = is_chunking_due(self.states.get(key, ()), row["row_hash"], self.cutter.generation.chunking_id)
            found = stored_documents(self.raw_documents, [key] if due else [], schemas.RAW_DOCUMENTS.names)
            row = next(found, None)
        return stays(had, self.cutter.inputs) if row is None else cut_document(row, had, self.cutter)
