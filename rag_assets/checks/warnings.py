"""Checks that warn above a configured threshold and stop nothing."""

from collections import Counter

import dagster as dg

from rag_assets.assets import raw_documents, vector_index
from rag_assets.assets.metadata import markdown_table
from rag_assets.assets.previews import source_check
from rag_assets.ingestion.watch import describe
from rag_assets.ledger import Failure, Watch
from rag_assets.resources.project import ProjectResource

LISTED_EXAMPLES = 10
LISTED_FAILURES = 50
MINUTE = "%Y-%m-%d %H:%M"
WARN = dg.AssetCheckSeverity.WARN


def examples(lines: list[str]) -> dg.MarkdownMetadataValue:
    """The first `LISTED_EXAMPLES` of `lines` as a list, and how many more there are."""
    shown = [f"- `{line}`" for line in lines[:LISTED_EXAMPLES]]
    more = [f"- and {len(lines) - LISTED_EXAMPLES:,} more"] if len(lines) > LISTED_EXAMPLES else []
    return dg.MetadataValue.md("\n".join(shown + more) or "none")


def watch_verdict(source: str, watch: Watch | None) -> dg.AssetCheckEvaluation:
    """What the check `watch_running` says of a source with this watch; no run is needed to report it."""
    paused = watch is not None and watch.paused_at is not None
    said = "The watch of this source is not paused"
    if watch is not None and paused:
        said = f"{describe(watch).rstrip('.')}. Mend that, then run: rag-assets sources resume {source}"
    return dg.AssetCheckEvaluation(
        asset_key=raw_documents.key,
        check_name="watch_running",
        passed=not paused,
        severity=WARN,
        description=said,
        partition=source,
    )


@source_check(raw_documents)
def failed_documents(context: dg.AssetCheckExecutionContext, project: ProjectResource) -> dg.AssetCheckResult:
    """Documents in quarantine: they could not be read, parsed, cut or embedded. Each keeps its previous rows and is
    tried again when it changes, or by `rag-assets quarantine retry`. Those that a person gave up are counted apart."""
    with project.open() as opened:
        quarantined = opened.ledger.quarantined(context.partition_key)
        limit = opened.settings.checks.failed_documents
    failed = [failure for failure in quarantined if not failure.dropped]
    given_up = len(quarantined) - len(failed)
    return dg.AssetCheckResult(
        passed=len(failed) <= limit,
        severity=WARN,
        description=f"{len(failed):,} documents failed (warns above {limit:,})"
        + (f"; {given_up:,} given up" if given_up else ""),
        metadata={
            "documents_failed": len(failed),
            "documents_given_up": given_up,
            "failed": _table_of(failed),
            "given_up": _table_of([failure for failure in quarantined if failure.dropped]),
        },
    )


def _table_of(failures: list[Failure]) -> dg.MarkdownMetadataValue:
    """The first `LISTED_FAILURES` of them, and how many more there are."""
    if not failures:
        return dg.MetadataValue.md("none")
    rows = [
        [one.uri, one.stage, one.error, one.attempts, f"{one.first_seen:{MINUTE}}", f"{one.last_seen:{MINUTE}}"]
        for one in failures[:LISTED_FAILURES]
    ]
    table = markdown_table(["document", "stage", "error", "attempts", "first seen (UTC)", "last seen (UTC)"], rows)
    more = len(failures) - LISTED_FAILURES
    return dg.MetadataValue.md(table + (f"\n\nAnd {more:,} more: `rag-assets quarantine list`" if more > 0 else ""))


@source_check(raw_documents)
def watch_running(context: dg.AssetCheckExecutionContext, project: ProjectResource) -> dg.AssetCheckResult:
    """Whether the source is still watched. The watch pauses one that failed too often, until a person resumes it."""
    name = context.partition_key
    with project.open() as opened:
        watch = opened.ledger.watches().get(name)
    verdict = watch_verdict(name, watch)
    return dg.AssetCheckResult(passed=verdict.passed, severity=verdict.severity, description=verdict.description)


@source_check(raw_documents)
def empty_documents(context: dg.AssetCheckExecutionContext, project: ProjectResource) -> dg.AssetCheckResult:
    """Documents without any text: nothing of them can be found."""
    with project.open() as opened:
        table = opened.store.raw_documents(context.partition_key)
        rows = table.rows(columns=["uri", "characters"]).to_pylist() if table.exists() else []
        limit = opened.settings.checks.empty_fraction
    empty = sorted(row["uri"] for row in rows if row["characters"] == 0)
    fraction = len(empty) / len(rows) if rows else 0.0
    return dg.AssetCheckResult(
        passed=fraction <= limit,
        severity=WARN,
        description=f"{len(empty):,} of {len(rows):,} documents are empty (warns above {limit:.0%})",
        metadata={"documents_empty": len(empty), "empty_fraction": fraction, "examples": examples(empty)},
    )


@source_check(raw_documents)
def duplicate_documents(context: dg.AssetCheckExecutionContext, project: ProjectResource) -> dg.AssetCheckResult:
    """Documents whose bytes equal another document's. All are kept and answered from."""
    with project.open() as opened:
        table = opened.store.raw_documents(context.partition_key)
        rows = table.rows(columns=["uri", "content_hash"]).to_pylist() if table.exists() else []
        limit = opened.settings.checks.duplicate_fraction
    counts = Counter(row["content_hash"] for row in rows)
    repeated = sorted(row["uri"] for row in rows if counts[row["content_hash"]] > 1)
    fraction = len(repeated) / len(rows) if rows else 0.0
    return dg.AssetCheckResult(
        passed=fraction <= limit,
        severity=WARN,
        description=f"{len(repeated):,} of {len(rows):,} documents have a twin (warns above {limit:.0%})",
        metadata={
            "documents_duplicate": len(repeated),
            "duplicate_fraction": fraction,
            "examples": examples(repeated),
        },
    )


@source_check(vector_index)
def unindexed_rows(context: dg.AssetCheckExecutionContext, project: ProjectResource) -> dg.AssetCheckResult:
    """Rows that are found by scanning because the full text or vector index does not hold them yet."""
    with project.open() as opened:
        rows = opened.index.unindexed_rows()
        limit = opened.settings.checks.unindexed_rows
    return dg.AssetCheckResult(
        passed=rows <= limit,
        severity=WARN,
        description=f"{rows:,} rows are not in an index yet (warns above {limit:,})",
        metadata={"rows_unindexed": rows},
    )


WARNING_CHECKS = [failed_documents, watch_running, empty_documents, duplicate_documents, unindexed_rows]
