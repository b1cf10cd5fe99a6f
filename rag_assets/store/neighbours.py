"""The chunks that stand before and after found passages in their documents, as the same table version has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from rag_assets.store.hits import HIT_COLUMNS, Hit, hit_of
from rag_assets.store.sql import sql_literal

if TYPE_CHECKING:
    from lancedb.table import Table as LanceTable


def with_neighbours(handle: LanceTable, hits: Sequence[Hit], *, distance: int, most_tokens: int) -> list[Hit]:
    """`hits` and the chunks at most `distance` before and after each, every chunk a passage of its own.

    So a quote is looked up in, and cited with, the one chunk that it stands in. Adjoining chunks of one document come
    together in the document's order, at the place of the best of them; a text that is there already does not come
    twice. Neighbours are taken nearest first, of better passages before worse ones, as long as all of them together
    have at most `most_tokens` tokens. A neighbour has the score of the passage that brought it, and neither a
    `vector_score` nor a `text_score`: it was not searched for.
    """
    if not hits or distance < 1:
        return list(hits)
    brought = _affordable(_around(handle, hits, distance), hits, distance, most_tokens)
    return _in_runs([*hits, *brought])


def _around(handle: LanceTable, hits: Sequence[Hit], distance: int) -> dict[tuple[str, int], tuple[Hit, int]]:
    """(document, ordinal) → the chunk there, without a score, and its tokens; `hits` themselves may be among them."""
    wanted: dict[tuple[str, str], set[int]] = {}
    for hit in hits:
        places = range(max(hit.ordinal - distance, 0), hit.ordinal + distance + 1)
        wanted.setdefault((hit.document_id, hit.document_hash), set()).update(places)
    where = " OR ".join(
        f"(document_id = {sql_literal(document)} AND document_hash = {sql_literal(version)} "
        f"AND ordinal IN ({', '.join(map(str, sorted(ordinals)))}))"
        for (document, version), ordinals in wanted.items()
    )
    rows = handle.search().where(where).select([*HIT_COLUMNS, "token_count"]).to_arrow().to_pylist()
    found = ((row.pop("token_count"), hit_of(row, score=0.0)) for row in rows)
    return {(hit.document_id, hit.ordinal): (hit, tokens) for tokens, hit in found}


def _affordable(
    around: dict[tuple[str, int], tuple[Hit, int]], hits: Sequence[Hit], distance: int, most_tokens: int
) -> list[Hit]:
    taken = {(hit.document_id, hit.ordinal) for hit in hits}
    texts = {hit.text for hit in hits}
    brought: list[Hit] = []
    for step in range(1, distance + 1):
        for hit in hits:
            for place in ((hit.document_id, hit.ordinal - step), (hit.document_id, hit.ordinal + step)):
                if place in taken or place not in around:
                    continue
                neighbour, tokens = around[place]
                if neighbour.text in texts or tokens > most_tokens:
                    continue
                most_tokens -= tokens
                taken.add(place)
                texts.add(neighbour.text)
                brought.append(replace(neighbour, score=hit.score))
    return brought


def _in_runs(hits: Sequence[Hit]) -> list[Hit]:
    """Runs of adjoining chunks in document order; the runs in the order of the first of their chunks in `hits`."""
    place = {hit.chunk_id: at for at, hit in enumerate(hits)}
    ordered = sorted(hits, key=lambda hit: (hit.document_id, hit.ordinal))
    # Within a run of one document, the ordinal less the position stays the same.
    numbered = enumerate(ordered)
    grouped = groupby(numbered, key=lambda pair: (pair[1].document_id, pair[1].ordinal - pair[0]))
    runs = [[hit for _, hit in run] for _, run in grouped]
    runs.sort(key=lambda run: min(place[hit.chunk_id] for hit in run))
    return [hit for run in runs for hit in run]
