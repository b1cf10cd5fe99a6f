"""`rag-assets models`: the tuned models and the jobs that make them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rag_assets.cli.output import JsonOption, print_json, say

app = typer.Typer(
    help="Show and promote tuned models; cancel the jobs that make them.", no_args_is_help=True, rich_markup_mode=None
)


@app.callback()
def group() -> None:
    """Keeps every command one of its own."""


@app.command("cancel")
def cancel(
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job's id at its provider, or the intent's id.")],
    as_json: JsonOption = False,
) -> None:
    """Cancel a tuning job at its provider. What it has trained until then may still be billed.

    --json prints job_id, intent_id, state, provider, base_model, training_file, attempt, cost_usd and error. The state
    is `submitted` where the provider is still at stopping it. A job that has ended is an error.

    Example: rag-assets models cancel ftjob-abc123
    """
    from rag_assets.project import Project
    from rag_assets.tuning.polling import cancel as cancel_job

    with Project.open() as project:
        ended = cancel_job(project, job)
    row: dict[str, Any] = {
        "job_id": ended.job_id,
        "intent_id": ended.intent_id,
        "state": ended.state,
        "provider": ended.provider,
        "base_model": ended.base_model,
        "training_file": ended.training_file,
        "attempt": ended.attempt,
        "cost_usd": ended.cost_usd,
        "error": ended.error,
    }
    if as_json:
        print_json(row)
    elif ended.is_open:
        say(f"{ended.name}: its provider was asked to stop it, and is at it.")
    else:
        say(f"{ended.name}: {ended.state}. {ended.error}")
