"""The gates: what must hold of exactly these inputs before the next step may use them.

Each gate leaves a verdict in the ledger under the gate's name and the subject it judged. The next step calls `require`
with the subject of its own inputs, so that no way of starting it gets around the gate; Dagster's asset checks display
the same verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from rag_assets.config import SourceSettings
from rag_assets.errors import GateError
from rag_assets.ingestion.results import ChunksResult
from rag_assets.ingestion.stored_vectors import vectors_of
from rag_assets.ingestion.vector_index import partial_documents, source_rows
from rag_assets.ledger import Ledger
from rag_assets.releasing.coverage import INDEXED, Coverage, subject_of_index
from rag_assets.store import IndexTable, Table
from rag_assets.store.keys import among, difference, distinct, keys_of, pairs, without

TOKEN_BUDGET = "token_budget"
EMBEDDING_INTEGRITY = "embedding_integrity"
COMPLETENESS = "completeness"
QUALITY = "quality"
SNAPSHOT_GATES = (EMBEDDING_INTEGRITY, COMPLETENESS)
LISTED_EXAMPLES = 10
VECTOR_ROWS = 4_096
"""Vectors judged at once: 6 MB of 384 dimensions."""
UNIT_NORM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What a gate found. `details` holds plain numbers and at most ten examples of what is wrong."""

    gate: str
    subject: str
    passed: bool
    reason: str
    details: dict[str, Any]


def subject_of_chunks(source: str, data_version: str, *, budget_tokens: int, max_input_tokens: int) -> str:
    """Names exactly one state of the chunks of one source, and the limits it is held to."""
    return f"chunks/{source}@{data_version}/{budget_tokens}/{max_input_tokens}"


def judge_chunks(
    name: str,
    source: SourceSettings,
    result: ChunksResult,
    *,
    max_input_tokens: int,
    price_per_million_usd: float | None,
    ledger: Ledger,
) -> GateVerdict:
    """Token budget: no chunk over what the model reads, and the source's total within its budget."""
    cost = None if price_per_million_usd is None else result.tokens * price_per_million_usd / 1_000_000
    reasons = []
    if result.longest_tokens > max_input_tokens:
        reasons.append(f"a chunk has {result.longest_tokens:,} tokens, and the model reads {max_input_tokens:,}")
    if result.tokens > source.token_budget:
        reasons.append(f"{result.tokens:,} tokens exceed the source's token_budget of {source.token_budget:,}")
    verdict = GateVerdict(
        gate=TOKEN_BUDGET,
        subject=subject_of_chunks(
            name, result.data_version, budget_tokens=source.token_budget, max_input_tokens=max_input_tokens
        ),
        passed=not reasons,
        reason="; ".join(reasons) or f"{result.tokens:,} of {source.token_budget:,} tokens",
        details={
            "tokens": result.tokens,
            "budget_tokens": source.token_budget,
            "longest_chunk_tokens": result.longest_tokens,
            "max_input_tokens": max_input_tokens,
            "estimated_cost_usd": cost,
        },
    )
    return recorded(verdict, ledger)


def require(ledger: Ledger, gates: Iterable[str], subject: str) -> None:
    """Raises `GateError` unless every gate in `gates` passed for exactly `subject`."""
    for gate in gates:
        verdict = ledger.verdict(gate, subject)
        if verdict is None:
            raise GateError(
                f"There is no verdict of the gate {gate!r} for {subject}.",
                fix="Materialize the asset before this one again; it judges its own output.",
            )
        if not verdict.passed:
            reason = verdict.details.get("reason", "")
            raise GateError(
                f"The gate {gate!r} failed for {subject}: {reason}.", fix=_fix(ledger, gate, verdict.details)
            )


def _fix(ledger: Ledger, gate: str, details: Mapping[str, Any]) -> str:
    """What mends a verdict of `gate`; one about quality leads to its own report."""
    evaluation = ledger.evaluation(str(details["evaluation"])) if "evaluation" in details else None
    if evaluation is None or evaluation.report is None:
        return _FIXES[gate]
    return (
        f"Read its report: {evaluation.report}/ in the folder reports of data_dir, or below /reports/ of the UI. Edit "
        "the questions it names, or mend the documents, prompts or settings, then run: rag-assets ingest. To serve it "
        f"all the same: rag-assets releases promote {evaluation.release_id} --force --reason TEXT"
    )


_FIXES = {
    TOKEN_BUDGET: "Raise token_budget of the source, narrow its include patterns, or lower chunking.max_tokens.",
    EMBEDDING_INTEGRITY: "Run: rag-assets ingest --all. If it stays, stored vectors are damaged: run rag-assets reset "
    "--yes, and ingest again.",
    COMPLETENESS: "Mend or exclude what fails in its sources (rag-assets sources list shows it), then run: rag-assets "
    "ingest --all. What a new model or chunker refuses can also be kept by going back to the former one.",
    QUALITY: "Read the report (rag-assets eval shows where it is) and mend what it names. To serve it all the same: "
    "rag-assets releases promote ID --force --reason TEXT",
}


def judge_snapshot(
    snapshot_id: str,
    *,
    index: Table,
    version: int,
    dimension: int,
    known_documents: pa.Array,
    coverage: Coverage,
    ledger: Ledger,
) -> list[GateVerdict]:
    """Judges the rows of `index` at `version`.

    `known_documents`: pairs of a source and a document that it has now; a row of any other is of a vanished one.
    """
    integrity = _earlier_pass(EMBEDDING_INTEGRITY, snapshot_id, ledger)
    if integrity is None:
        vectors = index.batches(columns=["chunk_id", "vector"], version=version, batch_rows=VECTOR_ROWS)
        integrity = recorded(_integrity(snapshot_id, vectors, dimension), ledger)
    completeness = _judge_completeness(snapshot_id, index, version, known_documents, coverage)
    completeness.details["against"] = coverage.against
    return [integrity, recorded(completeness, ledger, always=True)]


def recorded(verdict: GateVerdict, ledger: Ledger, *, always: bool = False) -> GateVerdict:
    """Leaves the verdict in the ledger; unless `always`, not when the newest one says just the same."""
    newest = None if always else ledger.verdict(verdict.gate, verdict.subject)
    said = {"reason": verdict.reason, **verdict.details}
    if newest is not None and newest.passed == verdict.passed and newest.details == said:
        return verdict
    ledger.record_verdict(verdict.gate, verdict.subject, verdict.passed, said)
    return verdict


def subject_of_quality(release_id: str, questions_version: str, rules: str) -> str:
    """Names exactly one release content, the questions it was asked, and the rules that its figures must keep."""
    return f"release/{release_id}@{questions_version}/{rules}"


def subject_of_embeddings(source: str, data_version: str) -> str:
    """Names exactly one state of the vectors of one source."""
    return f"embeddings/{source}@{data_version}"


def judge_embeddings(
    name: str, data_version: str, *, chunks: Table, embeddings: Table, dimension: int, ledger: Ledger
) -> GateVerdict:
    """Embedding integrity of the vectors of source `name`. Judged once per state."""
    subject = subject_of_embeddings(name, data_version)
    earlier = _earlier_pass(EMBEDDING_INTEGRITY, subject, ledger)
    if earlier is not None:
        return earlier
    return recorded(_integrity(subject, vectors_of(chunks, embeddings), dimension), ledger)


def _earlier_pass(gate: str, subject: str, ledger: Ledger) -> GateVerdict | None:
    """The verdict that this unchanging subject got before, when it passed."""
    known = ledger.verdict(gate, subject)
    if known is None or not known.passed:
        return None
    return GateVerdict(gate, subject, True, str(known.details.get("reason", "")), known.details)


def _integrity(subject: str, batches: Iterable[pa.RecordBatch], dimension: int) -> GateVerdict:
    """No null, zero, not-finite or wrong-length vector. Batches have two columns: a key and a vector."""
    wrong: list[str] = []
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        wrong += _wrong_vectors(batch.column(0), batch.column(1), dimension)
    return GateVerdict(
        gate=EMBEDDING_INTEGRITY,
        subject=subject,
        passed=not wrong,
        reason=f"{len(wrong):,} of {rows:,} vectors are null, zero, not finite or not of unit length"
        if wrong
        else f"{rows:,} unit vectors of {dimension} numbers",
        details={"rows": rows, "wrong_vectors": len(wrong), "examples": wrong[:LISTED_EXAMPLES]},
    )


def _wrong_vectors(keys: pa.Array, column: pa.Array, dimension: int) -> list[str]:
    if column.type.list_size != dimension:
        return list(keys.to_pylist())
    present = column.is_valid()
    vectors = column.drop_null().flatten().to_numpy(zero_copy_only=False).reshape(-1, dimension)
    with np.errstate(all="ignore"):
        sound = np.abs(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)) - 1.0) <= UNIT_NORM_TOLERANCE
    absent = keys.filter(pa.compute.invert(present)).to_pylist()
    return list(absent + keys.filter(present).filter(pa.array(~sound)).to_pylist())


def judge_index(name: str, chunks_version: str, *, chunks: Table, index: IndexTable, ledger: Ledger) -> GateVerdict:
    """Completeness of one source right after its index step: each chunk of every sound document once, nothing else.

    The verdict also notes that the step has run over exactly these chunks, which `coverage.compare` asks for.
    """
    failed = keys_of({failure.document_id for failure in ledger.failures(name)})
    wanted = chunks.rows(columns=["chunk_id", "document_id"])
    rows = source_rows(name, index)
    sound = without(rows, "document_id", failed)["document_id"]
    verdict = _counted(
        INDEXED,
        subject_of_index(index.name, name),
        rows,
        missing=_sorted(difference(without(wanted, "document_id", failed)["chunk_id"], rows["chunk_id"])),
        vanished=_sorted(difference(sound, wanted["document_id"])),
    )
    verdict.details["chunks"] = chunks_version
    return recorded(verdict, ledger)


def _judge_completeness(
    subject: str,
    index: Table,
    version: int,
    known_documents: pa.Array,
    coverage: Coverage,
) -> GateVerdict:
    columns = ["chunk_id", "document_id", "source", "document_hash", "ordinal", "document_chunks"]
    rows = index.rows(columns=columns, version=version)
    known = among(pairs(rows["source"], rows["document_id"]), known_documents)
    return _counted(
        COMPLETENESS,
        subject,
        rows,
        missing=_sorted(difference(coverage.expected, rows["chunk_id"])),
        vanished=_sorted(rows["document_id"].filter(pa.compute.invert(known))),
        lost=coverage.lost,
        stale=coverage.stale,
    )


def _sorted(column: Any) -> list[str]:
    """The values, each once."""
    return list(distinct(column).sort().to_pylist())


def _counted(
    gate: str,
    subject: str,
    rows: pa.Table,
    *,
    missing: Sequence[str],
    vanished: Sequence[str],
    lost: Sequence[str] = (),
    stale: Sequence[str] = (),
) -> GateVerdict:
    partial = partial_documents(rows)
    duplicates = rows.num_rows - pa.compute.count_distinct(rows["chunk_id"]).as_py()
    reasons = [
        f"{count:,} {text}"
        for count, text in (
            (len(missing), "chunks are missing"),
            (duplicates, "rows are duplicates"),
            (len(partial), "documents are there in part"),
            (len(vanished), "vanished documents are still there"),
            (len(lost), "documents that answer now would be lost"),
            (len(stale), "documents would go back to an older version"),
        )
        if count
    ]
    return GateVerdict(
        gate=gate,
        subject=subject,
        passed=not reasons,
        reason="; ".join(reasons) or f"{rows.num_rows:,} rows, each chunk of every sound document once",
        details={
            "rows": rows.num_rows,
            "missing_chunks": len(missing),
            "duplicate_rows": duplicates,
            "partial_documents": len(partial),
            "vanished_documents": len(vanished),
            "lost_documents": len(lost),
            "stale_documents": len(stale),
            "examples": [*lost, *stale, *missing, *partial, *vanished][:LISTED_EXAMPLES],
        },
    )
