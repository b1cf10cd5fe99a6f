"""`make demo`: the main job on the shipped examples, then three questions. All of it are commands of their own."""

from __future__ import annotations

import sys
import time

import typer

from rag_assets.cli.answers import ask
from rag_assets.cli.ingest import ingest
from rag_assets.errors import RagAssetsError

QUESTIONS = (
    "What is the constant k in reciprocal rank fusion?",
    "How many days should the champion be kept available?",
    "What happens when more than half of a source vanishes at once?",
)


def demo() -> None:
    """Ingests every configured source, releases the index and asks `QUESTIONS`."""
    start = time.perf_counter()
    typer.echo("Ingesting every source of rag_assets.yaml through Dagster …")
    try:
        ingest()
    except typer.Exit as stopped:
        if stopped.exit_code:
            raise SystemExit(stopped.exit_code) from None
    typer.echo(f"The pipeline took {time.perf_counter() - start:.1f} s.\n")
    for question in QUESTIONS:
        typer.echo(f"Q: {question}")
        ask(question)
        typer.echo("")
    typer.echo("Next:\n  make dev    # the same runs, assets and checks in Dagster's UI, on 127.0.0.1:3000")
    typer.echo('  .venv/bin/rag-assets ask "…"    # your own question')


if __name__ == "__main__":
    try:
        demo()
    except RagAssetsError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(1) from None
