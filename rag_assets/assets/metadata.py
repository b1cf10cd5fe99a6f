"""Metadata of materializations, built in one place. Keys are stable and numeric, because the UI plots them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa

from rag_assets import schemas
from rag_assets.assets import column_lineage
from rag_assets.ingestion import ChunksResult, EmbeddingsResult, IndexResult, RawDocumentsResult
from rag_assets.releasing import GateVerdict, ReleaseResult, SnapshotResult
from rag_assets.store import IndexTable, Table

if TYPE_CHECKING:
    from rag_assets.estimating.generation import ToEmbed
    from rag_assets.estimating.model import GenerationChange
    from rag_assets.evaluation.model import GoldenQuestion
    from rag_assets.evaluation.question_table import QuestionsResult
    from rag_assets.evaluation.review import Review
    from rag_assets.tuning.examples import Example, ExamplesResult
    from rag_assets.tuning.making import TrainingFileResult

PREVIEW_ROWS = 5
PREVIEW_CHARACTERS = 200
LEFT_OUT_SHOWN = 50

Metadata = dict[str, Any]


def column_schema(schema: pa.Schema) -> dg.TableSchema:
    """An Arrow schema as Dagster shows it."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=field.name,
                type=str(field.type),
                description=schemas.DESCRIPTIONS.get(field.name),
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in schema
        ]
    )


def of_raw_documents(result: RawDocumentsResult, table: Table) -> Metadata:
    """Metadata of `raw_documents`."""
    return {
        **_table(table, result.rows, result.table_version, result.commits),
        "why": result.why,
        "documents_added": result.added,
        "documents_changed": result.changed,
        "documents_removed": result.removed,
        "documents_unchanged": result.unchanged,
        "documents_failed": result.failed,
        "documents_given_up": result.dropped,
        "documents_empty": result.empty,
        "documents_opened": result.opened,
        "characters": result.characters,
        "preview": _preview(table, ["uri", "title", "media_type", "text"]),
    }


def of_chunks(result: ChunksResult, table: Table, *, budget_tokens: int, estimated_cost_usd: float | None) -> Metadata:
    """Metadata of `chunks`."""
    return {
        **_table(table, result.rows, result.table_version, result.commits),
        **column_lineage.column_lineage(column_lineage.CHUNKS),
        "why": result.why,
        "chunks_added": result.added,
        "chunks_removed": result.removed,
        "chunks_unchanged": result.unchanged,
        "documents_failed": result.failed_documents,
        "documents_rechunked": result.documents_rechunked,
        "tokens": result.tokens,
        "budget_tokens": budget_tokens,
        "chunk_longest_tokens": result.longest_tokens,
        "chunk_p95_tokens": result.p95_tokens,
        **_cost("estimated_cost_usd", estimated_cost_usd),
        "preview": _preview(table, ["uri", "heading_path", "token_count", "text"]),
    }


def of_embeddings(result: EmbeddingsResult, table: Table, space: str, seconds: float) -> Metadata:
    """Metadata of `embeddings`."""
    return {
        **_table(table, result.rows, result.table_version, result.commits),
        "dagster/column_schema": column_schema(table.schema),
        **column_lineage.column_lineage(column_lineage.EMBEDDINGS),
        "why": result.why,
        "embedding_space": space,
        "texts_embedded": result.embedded,
        "texts_reused": result.reused,
        "documents_failed": result.failed_documents,
        "tokens": result.tokens,
        "requests": result.requests,
        **_cost("cost_usd", result.cost_usd),
        "texts_per_second": round(result.embedded / seconds, 1) if result.embedded and seconds else 0.0,
    }


def of_vector_index(result: IndexResult, table: IndexTable, generation: str) -> Metadata:
    """Metadata of `vector_index`."""
    return {
        **_table(table, result.rows, result.table_version, result.commits),
        "dagster/column_schema": column_schema(table.schema),
        **column_lineage.column_lineage(column_lineage.VECTOR_INDEX),
        "why": result.why,
        "generation": generation,
        "documents": result.documents,
        "rows_added": result.added,
        "rows_removed": result.removed,
        "rows_rewritten": result.rewritten,
        "documents_held_back": result.held_back_documents,
        "rows_unindexed": table.unindexed_rows(),
    }


def of_generation(change: GenerationChange) -> Metadata:
    """Metadata about the generation that an asset belongs to: whether it is another than the one that serves, and why.

    `change` is what was the case before the materialization.
    """
    return {"generation_changed": change.is_another, "generation_change": str(change)}


def of_to_embed(due: ToEmbed) -> Metadata:
    """Metadata of `chunks` where parser, chunker or model changed: what the next asset is going to embed."""
    return {
        "texts_to_embed": due.texts,
        "tokens_to_embed": due.tokens,
        **_cost("cost_to_embed_usd", due.cost_usd),
    }


def of_index_snapshot(result: SnapshotResult) -> Metadata:
    """Metadata of `index_snapshot`."""
    return {
        "dagster/row_count": result.rows,
        "dagster/table_name": result.table,
        "snapshot": result.snapshot_id,
        "generation": result.generation,
        "table_version": result.version,
        "documents": result.documents,
        "sources": len(result.sources),
        "sources_behind": ", ".join(result.behind) or "none",
        "rows_purged": result.purged_rows,
        "rows_unindexed": result.unindexed_rows,
        "new": result.new,
        "source_versions": dg.MetadataValue.md(markdown_table(["source", "data version"], result.sources.items())),
        **{f"gate_{verdict.gate}": f"{_mark(verdict.passed)}: {verdict.reason}" for verdict in result.verdicts},
    }


def of_release(result: ReleaseResult) -> Metadata:
    """Metadata of `release`."""
    release = result.release
    return {
        "release": release.release_id,
        "snapshot": release.snapshot_id,
        "embedding_space": release.space,
        "chat_model": release.chat_model,
        "new": result.new,
        "serving_changed": result.flipped,
        "retracted": result.retracted,
        "documents_allowed_again": result.allowed_again,
        "retrieval": dg.MetadataValue.json(release.retrieval),
        "system_prompt": dg.MetadataValue.md(f"```\n{release.prompts['system']}\n```"),
    }


def of_golden_questions(result: QuestionsResult, table: Table, questions: Sequence[GoldenQuestion]) -> Metadata:
    """Metadata of `golden_questions`."""
    splits = Counter(question.split for question in questions)
    return {
        "dagster/row_count": result.questions,
        "dagster/table_name": table.name,
        "dagster/storage_kind": "lancedb",
        "table_version": result.table_version,
        "table_versions_committed": result.commits,
        "questions_added": result.inserted,
        "questions_changed": result.updated,
        "questions_removed": result.deleted,
        "questions_gate": splits["gate"],
        "questions_validation": splits["validation"],
        "questions_train": splits["train"],
        "questions_unanswerable": sum(not question.answerable for question in questions),
        "preview": _preview(table, ["question_id", "split", "question"]),
    }


def of_eval_report(result: Review) -> Metadata:
    """Metadata of `eval_report`: every figure as a number of its own, and the report itself."""
    evaluation = result.evaluation
    figures = {name: round(metric.value, 4) for name, metric in evaluation.metrics.items() if metric.value is not None}
    return {
        "verdict": f"{_mark(result.verdict.passed)}: {result.verdict.reason}",
        "report": dg.MetadataValue.md(result.report.summary.read_text("utf-8")),
        "report_link": dg.MetadataValue.url(f"/reports/{evaluation.evaluation_id}/{result.report.html.name}"),
        "report_path": dg.MetadataValue.path(str(result.report.html)),
        "release": evaluation.release_id,
        "snapshot": evaluation.snapshot_id,
        "evaluation": evaluation.evaluation_id,
        "questions": len(evaluation.items),
        "questions_asked_before": evaluation.reused_items,
        "questions_orphaned": len(evaluation.orphaned),
        "questions_failed": sum(item.error is not None for item in evaluation.items),
        **figures,
    }


def of_training_examples(result: ExamplesResult, table: Table, examples: Sequence[Example]) -> Metadata:
    """Metadata of `training_examples`."""
    return {
        **_table(table, result.examples, result.table_version, result.commits),
        "why": result.why,
        "data_version": result.data_version,
        "examples_added": result.inserted,
        "examples_changed": result.changed,
        "examples_moved": result.moved,
        "examples_removed": result.deleted,
        "examples_unanswerable": sum(not example.answerable for example in examples),
        "examples_closed_book": sum(example.closed_book for example in examples),
        "preview": _preview(table, ["origin", "prompt", "answer", "accepted"], shown=_discreet),
    }


def of_training_file(result: TrainingFileResult, verdicts: Sequence[GateVerdict]) -> Metadata:
    """Metadata of `training_file`: what it was made of, its length and cost, and what the gates said of it."""
    from rag_assets.tuning.gates import token_histogram, training_figures

    found, file = result.manifest, result.file
    left_out = [[one["set"], one["origin"], one["reason"]] for one in found["left_out"][:LEFT_OUT_SHOWN]]
    origins = (origin for _, origin in zip(range(PREVIEW_ROWS), file.origins(), strict=False))
    preview = [[one["split"], one["set"], one["origin"], _discreet(one["prompt"])] for one in origins]
    lengths = token_histogram(verdicts)
    return {
        "training_file": file.file_id,
        "path": dg.MetadataValue.path(str(file.folder)),
        "new": result.new,
        "snapshot": found["snapshot_id"],
        "examples_train": found["examples"]["train"],
        "examples_validation": found["examples"]["validation"],
        "examples_collected": found["collected"],
        "examples_joined": found["joined"],
        "examples_left_out": sum(found["reasons"].values()),
        "examples_unanswerable": found["unanswerable"],
        "passages_put_in": found["passages_put_in"],
        "sets": dg.MetadataValue.md(markdown_table(["set", "data version"], found["sets"].items())),
        "why_left_out": dg.MetadataValue.md(markdown_table(["reason", "examples"], found["reasons"].items())),
        "left_out": dg.MetadataValue.md(markdown_table(["set", "origin", "reason"], left_out)),
        "preview": dg.MetadataValue.md(markdown_table(["split", "set", "origin", "prompt"], preview)),
        "example_tokens": dg.MetadataValue.md(markdown_table(["tokens", "examples"], lengths.items())),
        **training_figures(verdicts),
        **{f"gate_{verdict.gate}": f"{_mark(verdict.passed)}: {verdict.reason}" for verdict in verdicts},
    }


def _table(table: Table, rows: int, version: int, commits: int) -> Metadata:
    return {
        "dagster/partition_row_count": rows,
        "dagster/table_name": table.name,
        "dagster/storage_kind": "lancedb",
        "table_version": version,
        "table_versions_committed": commits,
    }


def _cost(key: str, cost_usd: float | None) -> Metadata:
    """An unknown price has no number: it must not be plotted as 0."""
    return {key: cost_usd} if cost_usd is not None else {f"{key}_note": "the price of this model is not known"}


def _mark(passed: bool) -> str:
    return "passed" if passed else "failed"


def _preview(
    table: Table, columns: Sequence[str], *, shown: Callable[[Any], Any] = lambda value: value
) -> dg.MarkdownMetadataValue:
    if not table.exists():
        return dg.MetadataValue.md("No rows.")
    rows = table.head(PREVIEW_ROWS, columns=list(columns)).to_pylist()
    return dg.MetadataValue.md(markdown_table(columns, ([shown(row[name]) for name in columns] for row in rows)))


def _discreet(value: Any) -> Any:
    """`value`, a text or a list of texts, unless it holds a secret or personal data: events are kept for ever."""
    from rag_assets.tuning.gates.found_values import find_values

    lines = "\n".join(value if isinstance(value, list) else [str(value)]).split("\n")
    kinds = dict.fromkeys(found.kind for line in lines for found in find_values(line))
    return f"not shown, for it holds: {', '.join(kinds)}" if kinds else value


def markdown_table(header: Sequence[str], rows: Any) -> str:
    """Rows of values as a table; what is in a cell cannot break out of it, and is cut where it is long."""
    lines = [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    text = " > ".join(value) if isinstance(value, list) else str(value)
    text = " ".join(text.split())
    text = text if len(text) <= PREVIEW_CHARACTERS else f"{text[:PREVIEW_CHARACTERS]}…"
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")


def numbers(metadata: Mapping[str, dg.MetadataValue]) -> dict[str, Any]:
    """Plain values of metadata that was read back from an event."""
    return {key: value.value for key, value in metadata.items()}
