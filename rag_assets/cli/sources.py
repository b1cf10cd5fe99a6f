"""`rag-assets sources`: what is configured, and editing it with its comments kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_assets.cli.output import JsonOption, print_json, say

if TYPE_CHECKING:
    from pathlib import Path

    from rag_assets.project import Project

app = typer.Typer(help="List, add, remove and validate sources.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_sources(as_json: JsonOption = False) -> None:
    """List the configured sources with what is stored of each.

    Example: rag-assets sources list
    """
    from rag_assets.project import Project

    with Project.open() as project:
        rows = [_row(project, name) for name in project.source_names]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        held = "  HELD: " + row["held"] if row["held"] else ""
        failed = f", {row['failed']} failed" if row["failed"] else ""
        failed += f", {row['given_up']} given up" if row["given_up"] else ""
        paused = "  PAUSED: " + row["paused"] if row["paused"] else ""
        counts = f"{row['documents']} documents, {row['chunks']} chunks{failed}"
        say(f"{row['source']}  {row['path']}  {counts}{held}{paused}")
    if any(row["failed"] for row in rows):
        say("What failed, and why: rag-assets quarantine list")
    if not rows:
        say("No source is configured. Run: rag-assets sources add NAME --path FOLDER")


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits, '-' and '_'.")],
    path: Annotated[str, typer.Option(help="A folder, or an fsspec URL such as s3://bucket/prefix.")],
    include: Annotated[list[str] | None, typer.Option(help="Only files that match; may be repeated.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="No files that match; may be repeated.")] = None,
    token_budget: Annotated[int | None, typer.Option(help="The most tokens its chunks may total.")] = None,
    language: Annotated[str | None, typer.Option(help="ISO 639-1 code; detected when absent.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Add a source to rag_assets.yaml; comments and order of the file survive.

    Example: rag-assets sources add wiki --path ~/wiki --include "**/*.md"
    """
    from rag_assets.project import Project
    from rag_assets.source_registry import add_source

    options: dict[str, Any] = {"path": path}
    optional = {"include": include, "exclude": exclude, "token_budget": token_budget, "language": language}
    options |= {key: value for key, value in optional.items() if value}
    file = _config_file()
    add_source(file, name, options)
    with Project.open(file) as project:
        row = _row(project, name)
    if as_json:
        print_json(row)
    else:
        say(f"Added {name} to {file}. Next: rag-assets ingest --source {name}")


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="A configured source.")],
    as_json: JsonOption = False,
) -> None:
    """Remove a source from rag_assets.yaml. It is not answered from any more, at once; its files are not touched.

    Example: rag-assets sources remove wiki
    """
    from rag_assets.project import Project
    from rag_assets.source_registry import remove_source

    file = _config_file()
    with Project.open(file) as project:
        if name in project.settings.sources or name not in project.store.sources():
            remove_source(file, name)
        project.forget_source(name)  # one that left the file before may be held until a person agrees
    if as_json:
        print_json({"removed": name})
    else:
        say(f"Removed {name}; it is not answered from any more. Its rows go with the next: rag-assets ingest")


@app.command("resume")
def resume(
    name: Annotated[str, typer.Argument(help="A configured source.")],
    as_json: JsonOption = False,
) -> None:
    """Look at a source anew, also one that is not paused; while the daemon runs it is ingested within seconds.

    Example: rag-assets sources resume wiki
    """
    from datetime import UTC, datetime

    from rag_assets.ingestion.watch import resumed
    from rag_assets.project import Project

    with Project.open() as project:
        project.settings.source(name)
        watch = project.ledger.watches().get(name)
        troubled = watch is not None and (watch.paused_at is not None or watch.failures > 0)
        if watch is not None:
            project.ledger.record_watch(resumed(watch, datetime.now(UTC)))
    if as_json:
        print_json({"source": name, "resumed": troubled})
    elif troubled:
        say(f"{name} is watched again. It is ingested at the next look, or now with: rag-assets ingest -s {name}")
    else:
        say(f"{name} was not paused. It is looked at anew and ingested, or now with: rag-assets ingest -s {name}")


@app.command("validate")
def validate(as_json: JsonOption = False) -> None:
    """Check that every source can be listed, and count what would be ingested.

    Example: rag-assets sources validate
    """
    from rag_assets.errors import RagAssetsError
    from rag_assets.project import Project

    rows: list[dict[str, Any]] = []
    with Project.open() as project:
        for name in project.source_names:
            try:
                files = sum(1 for _ in project.connector(name).list())
                rows.append({"source": name, "ok": True, "files": files, "error": None})
            except RagAssetsError as error:
                rows.append({"source": name, "ok": False, "files": 0, "error": str(error)})
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            say(f"{row['source']}: {row['files']} files" if row["ok"] else f"{row['source']}: {row['error']}")
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


def _config_file() -> Path:
    from pathlib import Path

    from rag_assets.config import CONFIG_FILE_NAME
    from rag_assets.config_file import find_config_file

    return find_config_file() or Path.cwd() / CONFIG_FILE_NAME


def _row(project: Project, name: str) -> dict[str, Any]:
    source = project.settings.source(name)
    documents, chunks = project.store.raw_documents(name), project.store.chunks(name)
    hold = project.ledger.hold_for(name)
    watch = project.ledger.watches().get(name)
    failures = project.ledger.quarantined(name)
    given_up = sum(failure.dropped for failure in failures)
    return {
        "source": name,
        "connector": source.connector,
        "path": source.path,
        "documents": documents.count() if documents.exists() else 0,
        "chunks": chunks.count() if chunks.exists() else 0,
        "failed": len(failures) - given_up,
        "given_up": given_up,
        "held": hold.reason if hold else None,
        "paused": watch.error if watch and watch.paused_at else None,
    }
