"""Stage 3: the vectors of a source's chunks, content-addressed: an equal input is embedded once, ever.

Vectors are kept the moment they arrive, batch by batch, so that a run killed in the middle pays for nothing twice. An
input that the model refused is remembered by space and hash too, and is not sent again before a person asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from rag_assets import schemas
from rag_assets.fingerprints import data_version, fingerprint
from rag_assets.ingestion.quarantine import EMBED, Quarantine
from rag_assets.ingestion.results import EmbeddingsResult, Progress, no_progress
from rag_assets.ledger import Ledger
from rag_assets.models.embedder import EmbeddedBatch, Embedder
from rag_assets.models.embedding_space import EmbeddingSpace
from rag_assets.models.usage import UsageMeter
from rag_assets.store import Table

WINDOW_INPUTS = 2_048
"""Inputs looked up and embedded per round: bounds memory, and how much is at stake when a process dies."""


@dataclass(slots=True)
class _Tally:
    embedded: int = 0
    commits: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def sync_embeddings(
    name: str,
    *,
    chunks: Table,
    embeddings: Table,
    embedder: Embedder,
    meter: UsageMeter,
    ledger: Ledger,
    progress: Progress = no_progress,
) -> EmbeddingsResult:
    """Embeds the inputs of source `name` that have no vector in this embedding space yet.

    `meter` is the sink that `embedder` records its calls in.

    An input that the model refuses fails its document, which is recorded and keeps its previous rows in the index.
    Raises a `ModelError` when the provider itself is unusable; what had arrived by then is stored.
    """
    hashes = input_hashes(chunks)
    missing = hashes - _known(embeddings, hashes)
    space = embedder.space.name
    refused = {key: error for key, error in ledger.refused(space).items() if key in missing}
    tally = _Tally()
    before = meter.total
    wanted = missing - refused.keys()
    for window in _windows(chunks, wanted):
        _embed_window(window, embeddings, embedder, tally, lambda: progress("inputs", tally.embedded, len(wanted)))
        ledger.record_refused(space, {key: tally.failed[key] for key in window if key in tally.failed})
    after = meter.total
    unpriced = after.unpriced_calls > before.unpriced_calls
    failed_documents = _settle_failures(name, chunks, space, refused, tally.failed, ledger)
    return EmbeddingsResult(
        data_version=embeddings_version(chunks, embeddings, embedder.space),
        rows=len(hashes) - len(refused) - len(tally.failed),
        embedded=tally.embedded,
        reused=len(hashes) - len(missing),
        failed_documents=failed_documents,
        tokens=after.input_tokens - before.input_tokens,
        cost_usd=None if unpriced else after.cost_usd - before.cost_usd,
        requests=after.requests - before.requests,
        commits=tally.commits,
        table_version=embeddings.version(),
    )


def input_hashes(chunks: Table) -> set[str]:
    """The hashes of everything that is embedded for a source."""
    return set(chunks.rows(columns=["input_hash"])["input_hash"].to_pylist()) if chunks.exists() else set()


def embeddings_version(chunks: Table, embeddings: Table, space: EmbeddingSpace) -> str:
    """The data version of the vectors of a source's chunks as they are stored now."""
    return data_version(((key, "") for key in _known(embeddings, input_hashes(chunks))), space.fingerprint)


def _known(embeddings: Table, hashes: set[str]) -> set[str]:
    if not hashes or not embeddings.exists():
        return set()
    return set(embeddings.lookup(sorted(hashes), columns=["input_hash"])["input_hash"].to_pylist())


def _windows(chunks: Table, missing: set[str]) -> Iterator[dict[str, str]]:
    """Missing inputs with their texts, each once, in bounded groups."""
    if not missing:
        return
    queued: set[str] = set()
    window: dict[str, str] = {}
    for batch in chunks.batches(columns=["input_hash", "input_text"]):
        for key, text in zip(batch["input_hash"].to_pylist(), batch["input_text"].to_pylist(), strict=True):
            if key in missing and key not in queued:
                queued.add(key)
                window[key] = text
                if len(window) == WINDOW_INPUTS:
                    yield window
                    window = {}
    if window:
        yield window


def _embed_window(
    window: dict[str, str], embeddings: Table, embedder: Embedder, tally: _Tally, on_batch: Callable[[], None]
) -> None:
    keys = list(window)
    for batch in embedder.embed_documents(list(window.values())):
        for index, error in batch.failures:
            tally.failed[keys[index]] = str(error)
        if len(batch.indices):
            rows = _rows([keys[index] for index in batch.indices], batch)
            tally.commits += embeddings.apply(rows, []).commits
        tally.embedded += len(batch.indices)
        on_batch()


def _rows(keys: list[str], batch: EmbeddedBatch) -> pa.Table:
    dimension = batch.vectors.shape[1]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.ravel(batch.vectors), pa.float32()), dimension)
    return pa.Table.from_arrays(
        [
            pa.array(keys, pa.string()),
            vectors,
            pa.array(batch.token_counts, pa.int32()),
            pa.array([datetime.now(UTC)] * len(keys), schemas.TIMESTAMP),
        ],
        schema=schemas.embeddings(dimension),
    )


def _settle_failures(
    name: str, chunks: Table, space: str, refused: dict[str, str], failed: dict[str, str], ledger: Ledger
) -> int:
    """Records the documents of inputs that were `refused` before or `failed` now, and clears those that embed again.
    Returns how many stand failed."""
    quarantine = Quarantine(name, ledger, [EMBED])
    wrong = refused | failed
    failing: dict[tuple[str, str], list[str]] = {}
    if wrong:
        for row in chunks.rows(columns=["input_hash", "document_id", "uri"]).to_pylist():
            if row["input_hash"] in wrong:
                failing.setdefault((row["uri"], row["document_id"]), []).append(row["input_hash"])
    for (uri, key), inputs in failing.items():
        gate = f"{space}|{fingerprint(inputs=sorted(set(inputs)))}"
        attempted = not failed.keys().isdisjoint(inputs)
        quarantine.fail(uri, key, EMBED, wrong[min(inputs)], gate, attempted=attempted)
    return quarantine.settle(lambda failure: failure.stage == EMBED and not failure.dropped)
