"""`rag-assets releases`: what answers were and are given from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_assets.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from rag_assets.ledger import Release

app = typer.Typer(
    help="List and show releases, and go back to an earlier one.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_releases(as_json: JsonOption = False) -> None:
    """List the releases, newest first.

    Example: rag-assets releases list --json
    """
    from rag_assets.project import Project

    with Project.open() as project:
        serving = project.ledger.serving()
        rows = [_row(release, serving) for release in project.ledger.releases()]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        mark = "*" if row["serving"] else " "
        typer.echo(f"{mark} {row['release']}  {row['created_at']}  {row['embedding_space']}  {row['chat_model']}")
    if not rows:
        typer.echo("Nothing is released yet. Run: rag-assets ingest --all")


@app.command("show")
def show_release(
    release: Annotated[str | None, typer.Argument(help="Its id; by default the serving one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a release pins: table version, sources, prompts, model and settings.

    Example: rag-assets releases show
    """
    from rag_assets.project import Project

    with Project.open() as project:
        found = project.release(release)
        snapshot = project.snapshot(found.snapshot_id)
        row = _row(found, project.ledger.serving()) | {
            "table": snapshot.table,
            "table_version": snapshot.version,
            "generation": snapshot.generation,
            "sources": snapshot.sources,
            "retrieval": found.retrieval,
            "answering": found.answering,
            "prompts": found.prompts,
        }
    if as_json:
        print_json(row)
        return
    for key, value in row.items():
        typer.echo(f"{key}: {value}")


@app.command("rollback")
def rollback(
    to: Annotated[str | None, typer.Option("--to", help="A release id; by default the one that served before.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "rolled back by hand",
    as_json: JsonOption = False,
) -> None:
    """Answer from an earlier release again, at once. Nothing is computed or paid.

    Example: rag-assets releases rollback --reason "answers about limits were wrong"
    """
    from rag_assets.project import Project
    from rag_assets.releasing import roll_back

    with Project.open() as project:
        release = roll_back(
            project.store, project.ledger, sources=project.source_names, to=to, by="command line", reason=reason
        )
        row = _row(release, project.ledger.serving())
    if as_json:
        print_json(row)
    else:
        typer.echo(f"release {row['release']} serves")


def _row(release: Release, serving: Release | None) -> dict[str, Any]:
    return {
        "release": release.release_id,
        "serving": serving is not None and serving.release_id == release.release_id,
        "snapshot": release.snapshot_id,
        "embedding_space": release.space,
        "chat_model": release.chat_model,
        "created_at": release.created_at.isoformat(timespec="seconds"),
        "metrics": release.metrics,
    }
