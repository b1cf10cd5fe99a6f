"""`make demo`: the main job on the shipped examples, three questions, and a tuning. All are commands of their own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import typer

from rag_assets.cli.answers import ask
from rag_assets.cli.ingest import SHOWN_METRICS, ingest
from rag_assets.cli.tune import tune
from rag_assets.errors import RagAssetsError

QUESTIONS = (
    "What is the constant k in reciprocal rank fusion?",
    "How many days should the champion be kept available?",
    "What happens when more than half of a source vanishes at once?",
)


def demo() -> None:
    """Ingests every configured source, releases the index, asks `QUESTIONS`, and tunes a challenger."""
    typer.echo("Ingesting every source of rag_assets.yaml through Dagster …")
    typer.echo(f"The pipeline took {_seconds_of(ingest):.1f} s.\n")
    for question in QUESTIONS:
        typer.echo(f"Q: {question}")
        ask(question)
        typer.echo("")
    _print_report()
    if _has_examples():
        typer.echo("Tuning a challenger on the examples, and comparing it with what answers …")
        typer.echo(f"Tuning, comparing and deciding took {_seconds_of(tune):.1f} s.\n")
    typer.echo("Next:\n  make dev    # the same runs, assets and checks in Dagster's UI, on 127.0.0.1:3000")
    typer.echo('  .venv/bin/rag-assets ask "…"    # your own question')


def _has_examples() -> bool:
    from rag_assets.project import Project

    with Project.open() as project:
        return bool(project.settings.examples)


def _seconds_of(command: Callable[[], None]) -> float:
    """Runs a command. One that failed ends the demo with its exit code."""
    start = time.perf_counter()
    try:
        command()
    except typer.Exit as stopped:
        if stopped.exit_code:
            raise SystemExit(stopped.exit_code) from None
    return time.perf_counter() - start


def _print_report() -> None:
    """The figures and the path of the report of what serves."""
    from rag_assets.evaluation.review import reports_folder
    from rag_assets.project import Project

    with Project.open() as project:
        rows = project.ledger.deciding_evaluations(project.release().release_id)[:1]
        folder = reports_folder(project)
    for row in rows:
        typer.echo(f"The evaluation of this release, over {row.questions} golden questions:")
        for name in SHOWN_METRICS:
            value, ci95 = row.metrics[name]["value"], row.metrics[name]["ci95"]
            if value is not None:
                typer.echo(f"  {name:20} {value:.3f}  (95 % interval {ci95[0]:.3f} to {ci95[1]:.3f})")
        typer.echo(f"  report: {folder / str(row.report) / 'report.html'}\n")


if __name__ == "__main__":
    try:
        demo()
    except RagAssetsError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(1) from None
