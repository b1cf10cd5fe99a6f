"""The second stage of a run, without its writes: which documents would be cut, and what would come of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rag_assets.chunking.rows import cut_row
from rag_assets.estimating.inputs import Inputs
from rag_assets.ingestion.chunks import cutting_of
from rag_assets.ingestion.generation import Generation
from rag_assets.models.embedder import Embedder
from rag_assets.store import Table

KEPT_COLUMNS = ["chunk_id", "document_id", "row_hash", "input_hash", "token_count"]
STATE_COLUMNS = ["document_id", "document_hash", "generation"]
LOOKUP_DOCUMENTS = 256
FIGURES = ("add", "remove", "keep", "texts", "tokens_to_embed", "tokens")
"""What one document gives: chunks by their ids, inputs without a vector, their tokens, and the tokens of all chunks."""

State = dict[str, str]
StoredChunk = tuple[str, str, int]  # row_hash, input_hash, token_count


@dataclass(frozen=True, slots=True)
class Cutter:
    """How the documents of a source would be cut and which of their inputs are new. One thread uses one."""

    generation: Generation
    embedder: Embedder
    inputs: Inputs

    def cut(self, document: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """Rows of the chunks table for a row of `raw_documents`; None where it cannot be cut."""
        return cut_row(
            document,
            cutting_of(self.generation, self.embedder.tokenizer, self.embedder.max_input_tokens),
        )

    def input_tokens(self, row: Mapping[str, Any]) -> int:
        """Tokens of what is embedded for a row, exact also with a prefix for documents."""
        prefix = self.generation.space.document_prefix
        return self.embedder.count_tokens(prefix + row["input_text"]) if prefix else int(row["token_count"])


@dataclass(slots=True)
class KeptChunks:
    """Stored chunks: those that stay, and, document by document, those of documents that are looked at."""

    figures: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FIGURES, 0))
    counts: list[int] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    of_document: dict[str, dict[str, StoredChunk]] = field(default_factory=dict)


def chunk_states(chunks: Table) -> dict[str, list[State]]:
    """Document → the versions of it and the ways of cutting that its stored chunks come from, each once."""
    states: dict[str, list[State]] = {}
    for batch in chunks.batches(columns=STATE_COLUMNS):
        for document, version, generation in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            state = {"document_hash": version, "generation": generation}
            known = states.setdefault(document, [])
            if state not in known:
                known.append(state)
    return states


def read_kept(
    chunks: Table, cutter: Cutter, *, looked_at: Collection[str], removed: Collection[str], skipped: Collection[str]
) -> KeptChunks:
    """Reads the stored chunks once.

    `looked_at` documents are counted by the caller, `removed` ones lose their chunks, and `skipped` ones are due but
    not in the sample. All others stay as they are.
    """
    kept = KeptChunks(of_document={key: {} for key in looked_at})
    prefix = cutter.generation.space.document_prefix
    prefix_tokens = cutter.embedder.tokenizer.count(prefix) if prefix else 0
    for batch in chunks.batches(columns=KEPT_COLUMNS):
        staying: list[StoredChunk] = []
        for key, document, row_hash, input_hash, tokens in zip(
            *(column.to_pylist() for column in batch.columns), strict=True
        ):
            if document in kept.of_document:
                kept.of_document[document][key] = (row_hash, input_hash, tokens)
            elif document in removed:
                kept.figures["remove"] += 1
            elif document not in skipped:
                staying.append((row_hash, input_hash, tokens))
                kept.pairs.append((key, row_hash))
        _count_staying(staying, kept, cutter.inputs, prefix_tokens)
    return kept


def _count_staying(staying: list[StoredChunk], kept: KeptChunks, inputs: Inputs, prefix_tokens: int) -> None:
    new = inputs.first_met(input_hash for _, input_hash, _ in staying)
    counts = [tokens + prefix_tokens for (_, _, tokens), is_new in zip(staying, new, strict=True) if is_new]
    kept.counts += counts
    kept.figures["keep"] += len(staying)
    kept.figures["texts"] += len(counts)
    kept.figures["tokens_to_embed"] += sum(counts)
    kept.figures["tokens"] += sum(tokens for _, _, tokens in staying)


@dataclass(frozen=True, slots=True)
class Cut:
    """What cutting one document would give. `counts`: the tokens of each input without a vector."""

    figures: dict[str, int]
    counts: list[int]
    pairs: list[tuple[str, str]]
    failed: bool


def cut_document(document: Mapping[str, Any], stored: Mapping[str, StoredChunk], cutter: Cutter) -> Cut:
    """Compares the chunks that a document would have with those that are stored of it; a failing one keeps them."""
    rows = cutter.cut(document)
    if rows is None:
        return stays(stored, cutter.inputs, failed=True)
    new = cutter.inputs.first_met(row["input_hash"] for row in rows)
    counts = [cutter.input_tokens(row) for row, is_new in zip(rows, new, strict=True) if is_new]
    ids = {row["chunk_id"] for row in rows}
    figures = {
        "add": len(ids - stored.keys()),
        "remove": len(stored.keys() - ids),
        "keep": len(ids & stored.keys()),
        "texts": len(counts),
        "tokens_to_embed": sum(counts),
        "tokens": sum(row["token_count"] for row in rows),
    }
    return Cut(figures, counts, [(row["chunk_id"], row["row_hash"]) for row in rows], failed=False)


def stays(stored: Mapping[str, StoredChunk], inputs: Inputs, *, failed: bool = False) -> Cut:
    """A document that keeps the chunks it has."""
    new = inputs.first_met(input_hash for _, input_hash, _ in stored.values())
    counts = [tokens for (_, _, tokens), is_new in zip(stored.values(), new, strict=True) if is_new]
    figures = dict.fromkeys(FIGURES, 0) | {
        "keep": len(stored),
        "texts": len(counts),
        "tokens_to_embed": sum(counts),
        "tokens": sum(tokens for _, _, tokens in stored.values()),
    }
    return Cut(figures, counts, [(key, row_hash) for key, (row_hash, _, _) in stored.items()], failed)


def stored_documents(table: Table, keys: list[str], columns: list[str]) -> Iterator[dict[str, Any]]:
    """Rows of `raw_documents` by their ids, a bounded number at a time."""
    for start in range(0, len(keys), LOOKUP_DOCUMENTS):
        yield from table.lookup(keys[start : start + LOOKUP_DOCUMENTS], columns=columns).to_pylist()
