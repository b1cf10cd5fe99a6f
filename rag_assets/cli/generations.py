"""`rag-assets generations`: the indices that stand beside each other, one for each parser, chunker and model."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from rag_assets.cli.output import JsonOption, print_json, say

if TYPE_CHECKING:
    from rag_assets.releasing.generations import GenerationRow

app = typer.Typer(
    help="Show the generations: one index for each parser, chunker and embedding model that something needs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def group() -> None:
    """Keeps `list` a command of its own."""


@app.command("list")
def list_generations(as_json: JsonOption = False) -> None:
    """List the generations, the serving one first: what they are made of, their size and the releases that need them.

    --json prints for each: generation, embedding_space, parts, rows, bytes, configured, serving, needed, releases and
    written_at. What is not needed goes with the maintenance after releases.keep_generations_days.

    Example: rag-assets generations list --json
    """
    from rag_assets.project import Project
    from rag_assets.releasing.generations import generations

    with Project.open() as project:
        rows = generations(project.store, project.ledger, project.generation)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    for row in rows:
        say(_line(row))


def _line(row: GenerationRow) -> str:
    marks = [mark for mark, holds in (("configured", row.configured), ("not needed", not row.needed)) if holds]
    chunking = row.parts.get("chunking", {})
    cut = f"  {chunking['max_tokens']} tokens a chunk" if "max_tokens" in chunking else ""
    written = f"{row.written_at:%Y-%m-%d %H:%M}" if row.written_at else "never written"
    said = f"  ({', '.join(marks)})" if marks else ""
    return (
        f"{'*' if row.serving else ' '} {row.generation}  {written}  {row.rows:,} rows  {row.bytes:,} bytes  "
        f"{row.embedding_space}{cut}  releases: {', '.join(row.releases) or 'none'}{said}"
    )
