"""Which of the inputs of a source have a vector, and these vectors, in bounded memory.

A source whose inputs are a good part of the table is compared by one pass over the column of hashes; a small one beside
a large table by looking its keys up.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from rag_assets.ingestion.input_hashes import InputSet, Mask, raw_hashes
from rag_assets.models.embedding_space import EmbeddingSpace
from rag_assets.store import Table
from rag_assets.store.sql import any_of

KEYS_PER_LOOKUP = 1_000
HASHES_PER_KEY, VECTORS_PER_KEY = 50, 4
"""Reading so many hashes, or vectors, in one pass costs about what finding one key does."""


def chunk_inputs(chunks: Table) -> InputSet:
    """The hashes of everything that is embedded for a source, each once."""
    return InputSet(raw_hashes(batch.column(0)) for batch in chunks.batches(columns=["input_hash"]))


def stored(embeddings: Table, inputs: InputSet, asked: Mask | None = None) -> Mask:
    """Which of `inputs` have a vector; with `asked`, which of those that it marks."""
    asked = inputs.mask(True) if asked is None else asked
    found = inputs.mask()
    for batch in _matching(embeddings, inputs, asked, ["input_hash"], HASHES_PER_KEY):
        inputs.mark(found, raw_hashes(batch.column(0)))
    return found & asked


def vectors_of(chunks: Table, embeddings: Table) -> Iterator[pa.RecordBatch]:
    """The vectors of a source, each once: `input_hash`, `vector`."""
    inputs = chunk_inputs(chunks)
    for batch in _matching(embeddings, inputs, inputs.mask(True), ["input_hash", "vector"], VECTORS_PER_KEY):
        wanted = inputs.places(raw_hashes(batch.column(0)))[1]
        if wanted.all():
            yield batch
        elif wanted.any():
            yield batch.filter(pa.array(wanted))


def embeddings_version(chunks: Table, embeddings: Table, space: EmbeddingSpace) -> str:
    """The data version of the vectors of a source's chunks as they are stored now."""
    inputs = chunk_inputs(chunks)
    return inputs.version(stored(embeddings, inputs), space.fingerprint)


def _matching(
    embeddings: Table, inputs: InputSet, asked: Mask, columns: list[str], rows_per_key: int
) -> Iterator[pa.RecordBatch]:
    """Rows among which are all that `asked` marks; of a table that is read as a whole there may be others."""
    wanted = int(asked.sum())
    if not wanted:
        return
    if embeddings.count() <= rows_per_key * wanted:
        yield from embeddings.batches(columns)
        return
    for group in inputs.groups(asked, KEYS_PER_LOOKUP):
        yield from embeddings.batches(columns, any_of(embeddings.key, group))
