"""What a run would do to one source: its documents, its chunks, and what of them would be embedded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag_assets.errors import SourceError
from rag_assets.estimating.chunks import FIGURES, Cutter, KeptChunks, State, chunk_states, read_kept
from rag_assets.estimating.documents import DocumentsPlan, Row, plan_documents, stored_rows
from rag_assets.estimating.looking import Limit, Looking, Picked, Tally, pick
from rag_assets.estimating.model import ChunkCounts, DocumentCounts, SourceEstimate
from rag_assets.ingestion.difference import is_chunking_due
from rag_assets.ingestion.quarantine import CHUNK, Quarantine, chunking_gate

if TYPE_CHECKING:
    from rag_assets.project import Project

Progress = Callable[[str, int, int], None]
INTERVALS = {
    "chunks.add": "add",
    "chunks.remove": "remove",
    "texts_to_embed": "texts",
    "tokens_to_embed": "tokens_to_embed",
    "tokens": "tokens",
}


@dataclass(frozen=True, slots=True)
class Estimated:
    """An estimate, and the (chunk_id, row_hash) pairs that the source would have; None where some are not known."""

    source: SourceEstimate
    pairs: list[tuple[str, str]] | None


def estimate_source(project: Project, name: str, cutter: Cutter, limit: Limit, progress: Progress) -> Estimated:
    """Counts what a run would do to source `name` of `project`, whose settings are the ones to try."""
    source = project.settings.source(name)
    raw_documents, chunks = project.store.raw_documents(name), project.store.chunks(name)
    stored = stored_rows(raw_documents)
    try:
        connector = project.connector(name, keep=False)
        listed = list(connector.list())
    except SourceError as error:  # the run would stop here, and everything would stay
        return _untouched(project, name, DocumentsPlan(settled=list(stored.values())), cutter, problem=str(error))
    plan = plan_documents(name, source, listed, stored, project.ledger)
    if plan.held:
        return _untouched(project, name, plan, cutter)
    states = chunk_states(chunks)
    to_cut, uncut = _to_cut(plan, states, cutter, Quarantine(name, project.ledger, [CHUNK]))
    picked = pick(name, plan, to_cut, limit)
    removed = frozenset(row["document_id"] for row in plan.removed)
    kept = read_kept(chunks, cutter, looked_at=picked.documents, removed=removed, skipped=picked.skipped)
    tally = Tally(uncut=uncut)
    looking = Looking(name, source, connector, raw_documents, plan, states, kept, cutter)
    for done in looking.look(picked, tally):
        progress(name, done, len(picked.documents))
    return _summed(project, name, plan, picked, kept, tally, cutter)


def _to_cut(
    plan: DocumentsPlan, states: Mapping[str, Sequence[State]], cutter: Cutter, quarantine: Quarantine
) -> tuple[list[Row], int]:
    """The stored documents that would be cut, and how many would be if they had not failed just so before."""
    due, waiting = [], 0
    for row in plan.settled:
        key, chunking_id = row["document_id"], cutter.generation.chunking_id
        gate = chunking_gate(row["row_hash"], chunking_id, cutter.embedder.max_input_tokens)
        differs = bool(row["characters"] or key in states) and is_chunking_due(
            states.get(key, ()), row["row_hash"], chunking_id
        )
        if quarantine.is_due(key, gate, otherwise=differs):
            due.append(row)
        else:
            waiting += differs
    return due, waiting


def _untouched(
    project: Project, name: str, plan: DocumentsPlan, cutter: Cutter, *, problem: str | None = None
) -> Estimated:
    """A source that a run would leave as it is, because it is held or cannot be listed."""
    kept = read_kept(project.store.chunks(name), cutter, looked_at=(), removed=(), skipped=())
    return Estimated(
        SourceEstimate(
            documents=DocumentCounts(unchanged=len(plan.settled) - len(plan.removed), held=len(plan.removed)),
            chunks=ChunkCounts(keep=kept.figures["keep"]),
            tokens=kept.figures["tokens"],
            budget_tokens=project.settings.source(name).token_budget,
            limits=(plan.held,) if plan.held else (),
            problem=problem,
        ),
        kept.pairs,
    )


def _summed(
    project: Project,
    name: str,
    plan: DocumentsPlan,
    picked: Picked,
    kept: KeptChunks,
    tally: Tally,
    cutter: Cutter,
) -> Estimated:
    totals, spread = _totals(kept, picked)
    sampled = bool(picked.skipped)
    budget = project.settings.source(name).token_budget
    over = totals["tokens"] > budget
    intervals = {
        key: (max(0, round(totals[figure] - spread[figure])), round(totals[figure] + spread[figure]))
        for key, figure in INTERVALS.items()
    }
    return Estimated(
        SourceEstimate(
            documents=_documents(plan, tally, sampled=sampled),
            chunks=ChunkCounts(totals["add"], totals["remove"], totals["keep"]),
            texts_to_embed=totals["texts"],
            tokens_to_embed=totals["tokens_to_embed"],
            requests=_requests(kept.counts + tally.counts, totals["texts"], cutter),
            cost_usd=_cost(totals["tokens_to_embed"], cutter),
            tokens=totals["tokens"],
            budget_tokens=budget,
            opened=tally.opened,
            sampled_documents=len(picked.documents),
            due_documents=len(picked.documents) + len(picked.skipped),
            intervals=intervals if sampled else {},
            limits=(f"{totals['tokens']:,} tokens exceed the token_budget of {budget:,}",) if over else (),
        ),
        None if sampled else kept.pairs + tally.pairs,
    )


def _totals(kept: KeptChunks, picked: Picked) -> tuple[dict[str, int], dict[str, float]]:
    """Figure → its total over all documents, and half the width of its interval."""
    totals: dict[str, int] = {}
    spread: dict[str, float] = {}
    for figure in FIGURES:
        found = [sample.total(figure) for sample in (picked.opening, picked.cutting)]
        totals[figure] = kept.figures[figure] + round(sum(total for total, _ in found))
        spread[figure] = sum(half**2 for _, half in found) ** 0.5
    return totals, spread


def _documents(plan: DocumentsPlan, tally: Tally, *, sampled: bool) -> DocumentCounts:
    """With a sample, a document whose listing changed counts as changed, whatever opening it would tell."""
    add = sum(item.uri not in plan.stored for item in plan.due) if sampled else tally.add
    change = len(plan.due) - add if sampled else tally.change
    unreadable = 0 if sampled else tally.unreadable
    waiting = sum(uri in plan.stored for uri in plan.waiting)
    return DocumentCounts(
        add=add,
        change=change,
        remove=len(plan.removed),
        unchanged=len(plan.settled) - waiting + len(plan.due) - add - change - unreadable,
        failing=tally.unreadable + tally.uncut + len(plan.waiting),
    )


def _requests(counts: list[int], texts: int, cutter: Cutter) -> int:
    """How many requests the inputs with these tokens take, in proportion where `texts` is more of them."""
    requests = cutter.embedder.requests_for(counts)
    return max(requests, round(requests * texts / len(counts))) if counts else 0


def _cost(tokens: int, cutter: Cutter) -> float | None:
    """US dollars; None where the price is unknown, but what is not called costs nothing."""
    if not tokens:
        return 0.0
    price = cutter.embedder.price_per_million_usd
    return None if price is None else tokens * price / 1_000_000
