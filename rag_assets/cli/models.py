"""`rag-assets models`: the tuned models and the jobs that make them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rag_assets.cli.output import JsonOption, print_json, say

app = typer.Typer(
    help="Show and promote tuned models; cancel the jobs that make them.", no_args_is_help=True, rich_markup_mode=None
)


ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="The model's id, as its provider knows it.")]


@app.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """List the tuned models, newest first; the one that serves has a star.

    A status is champion (it serves), challenger, rejected (its newest comparison kept the other model) or retired.

    Example: rag-assets models list --json
    """
    from rag_assets.cli.model_rows import model_line, model_rows
    from rag_assets.project import Project

    with Project.open() as project:
        rows = model_rows(project.ledger)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        say(model_line(row))
    if not rows:
        say("No model was tuned yet. Run: rag-assets tune")


@app.command("show")
def show_model(model: ModelArgument, as_json: JsonOption = False) -> None:
    """Show where a model came from, how it learned and compared, and what was decided about it, by what or whom.

    Example: rag-assets models show ft:extractive-reader:rag-assets::ab12cd34
    """
    from rag_assets.cli.model_rows import model_details
    from rag_assets.project import Project
    from rag_assets.tuning.registry import registered

    with Project.open() as project:
        row = model_details(registered(project, model), project)
    if as_json:
        print_json(row)
        return
    for key, value in row.items():
        if key not in ("decisions", "comparisons"):
            say(f"{key}: {value}")
    for one in row["comparisons"]:
        say(f"compared with {one['champion']} at {one['started_at']}: {one['reason'] or 'not finished'}")
        if one["report"]:
            say(f"  report: {one['report']}")
    for one in row["decisions"]:
        forced = ", forced" if one["forced"] else ""
        say(f"{one['at']} {one['decision'].replace('_', ' ')} by {one['decided_by']}{forced}: {one['reason']}")


@app.command("promote")
def promote(
    model: ModelArgument,
    force: Annotated[
        bool, typer.Option("--force", help="Although it won no comparison or a gate did not pass; on record.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why, for the record. Needed with --force.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Make a model the champion: a new release of the newest snapshot with it, by the ordinary gates.

    Refused unless it won its comparison with the model that answers now, on the newest snapshot and by the questions
    and rules of now. The champion stays what it is.

    Example: rag-assets models promote ft:gpt-4.1-mini:us::x1 --force --reason "the questions are outdated"
    """
    from rag_assets.cli.model_rows import decision_row, model_row
    from rag_assets.cli.output import progress_line
    from rag_assets.cli.releases import operator
    from rag_assets.project import Project
    from rag_assets.tuning.by_hand import promote_model
    from rag_assets.tuning.registry import registered

    with Project.open() as project, progress_line() as status:
        if project.ledger.model_statuses().get(model) == "champion":
            newest = next(iter(project.ledger.decisions(model)), None)
            row = model_row(registered(project, model), project.ledger)
            if as_json:
                print_json(row | {"decided": decision_row(newest) if newest else None})
            else:
                say(f"{model} is the champion already")
            return
        decided = promote_model(
            project,
            model,
            force=force,
            reason=reason,
            by=operator(),
            usage=project.ledger.usage_sink(asset="model_comparison", limits=project.settings.spend),
            progress=lambda what, done, total: status.info("%s of %s %s", done, total, what),
        )
        row = model_row(decided.model, project.ledger) | {"decided": decision_row(decided.decision)}
    if as_json:
        print_json(row)
    else:
        say(f"{model} is the champion: release {decided.decision.release_id} serves")


@app.command("rollback")
def rollback(
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "rolled back by hand",
    as_json: JsonOption = False,
) -> None:
    """Answer from the last release with another model again, at once. Nothing is computed or paid.

    Example: rag-assets models rollback --reason "it invents limits"
    """
    from rag_assets.cli.releases import operator
    from rag_assets.project import Project
    from rag_assets.tuning.by_hand import roll_back_model

    with Project.open() as project:
        left, release = roll_back_model(project, reason=reason, by=operator())
    if as_json:
        print_json(
            {
                "release": release.release_id,
                "model": release.chat_model,
                "left": left.model_id if left is not None else None,
            }
        )
    else:
        say(f"release {release.release_id} serves, with {release.chat_model}")


@app.command("retire")
def retire(
    model: ModelArgument,
    delete: Annotated[bool, typer.Option("--delete", help="Delete it at its provider too. It does not come back.")] = (
        False
    ),
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "retired by hand",
    as_json: JsonOption = False,
) -> None:
    """Say that a model is not to be compared or promoted any more. The champion is not retired: roll back first.

    With --delete, a release that names the model answers by its base from then on.

    Example: rag-assets models retire ft:gpt-4.1-mini:us::x1 --delete
    """
    from rag_assets.cli.model_rows import model_row
    from rag_assets.cli.releases import operator
    from rag_assets.project import Project
    from rag_assets.tuning.by_hand import delete_at_provider, retire_model
    from rag_assets.tuning.registry import registered

    with Project.open() as project:
        retire_model(
            project, model, reason=reason, by=operator(), delete=delete_at_provider(project) if delete else None
        )
        row = model_row(registered(project, model), project.ledger) | {"deleted": delete}
    if as_json:
        print_json(row)
    else:
        say(f"{model} is retired{' and deleted' if delete else ''}")


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
