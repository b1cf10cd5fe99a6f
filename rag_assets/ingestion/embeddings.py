"""Stage 3: the vectors of a source's chunks, content-addressed: an equal input is embedded once, ever.

Vectors are kept the moment they arrive (`spool`), inputs are claimed before they are sent (`claiming`), and hashes are
held as bytes (`input_hashes`): 32 for each distinct input of the source is all that grows with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rag_assets.fingerprints import fingerprint
from rag_assets.ingestion.buying import Bought, Shop, buy
from rag_assets.ingestion.input_hashes import InputSet, Mask, raw_of
from rag_assets.ingestion.landing import take_over
from rag_assets.ingestion.quarantine import EMBED, Quarantine
from rag_assets.ingestion.results import EmbeddingsResult, Progress, no_progress
from rag_assets.ingestion.stored_vectors import chunk_inputs, embeddings_version, stored
from rag_assets.ledger import Ledger
from rag_assets.models.embedder import Embedder
from rag_assets.models.usage import UsageMeter
from rag_assets.store import Table
from rag_assets.store.sql import any_of, in_groups

__all__ = ["embeddings_version", "sync_embeddings"]

FILTER_GROUP = 512


def sync_embeddings(
    name: str,
    *,
    chunks: Table,
    embeddings: Table,
    embedder: Embedder,
    meter: UsageMeter,
    ledger: Ledger,
    spool_dir: Path,
    progress: Progress = no_progress,
) -> EmbeddingsResult:
    """Embeds the inputs of source `name` that have no vector in this embedding space yet.

    `meter` is the sink that `embedder` records its calls in. `spool_dir` is one folder for all runs of the project.
    Other runs may embed at the same time, also the same inputs: each is sent once, and this waits for theirs.

    An input that the model refuses fails its document, which is recorded and keeps its previous rows in the index. It
    is not sent again while `ledger.refused` has it. Raises a `ModelError` when the provider itself is unusable and a
    `StoreError` when vectors cannot be kept; what had arrived by then is kept.
    """
    shop = Shop(chunks, embeddings, embedder, ledger, spool_dir / embedder.space.name)
    commits = take_over(shop.spool, embeddings, ledger)
    inputs = chunk_inputs(chunks)
    version = embeddings.version()
    bought = Bought(stored=stored(embeddings, inputs), version=version, commits=commits)
    before = meter.total
    refused = _buy_missing(shop, inputs, bought, progress)
    after = meter.total
    unpriced = after.unpriced_calls > before.unpriced_calls
    rows = int(bought.stored.sum())
    return EmbeddingsResult(
        data_version=inputs.version(bought.stored, embedder.space.fingerprint),
        rows=rows,
        embedded=bought.embedded,
        reused=rows - bought.embedded,
        failed_documents=_settle_failures(name, chunks, shop.space, refused, bought.refused, ledger),
        tokens=after.input_tokens - before.input_tokens,
        cost_usd=None if unpriced else after.cost_usd - before.cost_usd,
        requests=after.requests - before.requests,
        commits=bought.commits,
        table_version=embeddings.version(),
    )


def _buy_missing(shop: Shop, inputs: InputSet, bought: Bought, progress: Progress) -> dict[str, str]:
    """Embeds what is missing and was not refused before; returns what was: input hash → why."""
    missing = ~bought.stored
    if not missing.any():
        return {}
    refused = _refused_among(inputs, missing, shop.ledger.refused(shop.space))
    missing &= ~inputs.among(raw_of(refused))
    total = int(missing.sum())

    def on_batch(waits: bool) -> None:
        progress("inputs, the rest by another run" if waits else "inputs", bought.embedded, total)

    if total:
        buy(shop, inputs, missing, bought, on_batch)
    return refused


def _refused_among(inputs: InputSet, missing: Mask, refused: Mapping[str, str]) -> dict[str, str]:
    marked = inputs.among(raw_of(refused)) & missing
    return {key: refused[key] for group in inputs.groups(marked, FILTER_GROUP) for key in group}


def _settle_failures(
    name: str, chunks: Table, space: str, refused: Mapping[str, str], failed: Mapping[str, str], ledger: Ledger
) -> int:
    """Records the documents of inputs that were `refused` before or `failed` now, and clears those that embed again.
    Returns how many stand failed."""
    quarantine = Quarantine(name, ledger, [EMBED])
    wrong = {**refused, **failed}
    failing: dict[tuple[str, str], set[str]] = {}
    for group in in_groups(sorted(wrong), FILTER_GROUP):
        rows = chunks.rows(["input_hash", "document_id", "uri"], any_of("input_hash", group))
        for row in rows.to_pylist():
            failing.setdefault((row["uri"], row["document_id"]), set()).add(row["input_hash"])
    for (uri, key), inputs in failing.items():
        gate = f"{space}|{fingerprint(inputs=sorted(inputs))}"
        quarantine.fail(uri, key, EMBED, wrong[min(inputs)], gate, attempted=not inputs.isdisjoint(failed))
    return quarantine.settle(lambda failure: failure.stage == EMBED and not failure.dropped)
