"""`rag-assets releases`: what answers were and are given from."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_assets.cli.output import JsonOption, print_json, say

if TYPE_CHECKING:
    from rag_assets.project import Project
    from rag_assets.releasing import ReleaseContent

app = typer.Typer(
    help="List, show and compare releases, choose which one serves, and let old ones go.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_releases(as_json: JsonOption = False) -> None:
    """List the releases, newest first, with what the gates said and the figures of their evaluation.

    Example: rag-assets releases list --json
    """
    from rag_assets.cli.release_rows import release_line, release_row
    from rag_assets.project import Project

    with Project.open() as project:
        rows = [release_row(release, project.ledger) for release in project.ledger.releases()]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(release_line(row))
    if not rows:
        typer.echo("Nothing is released yet. Run: rag-assets ingest --all")


@app.command("show")
def show_release(
    release: Annotated[str | None, typer.Argument(help="Its id; by default the serving one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a release pins, how it did, and when and why it served.

    Example: rag-assets releases show
    """
    from rag_assets.cli.release_rows import release_details
    from rag_assets.project import Project

    with Project.open() as project:
        row = release_details(project.release(release), project.ledger)
    if as_json:
        print_json(row)
        return
    measured = {name: one["value"] for name, one in row.pop("metrics").items() if one.get("value") is not None}
    for key, value in (row | {"metrics": measured}).items():
        say(f"{key}: {value}")


@app.command("diff")
def diff(
    before: Annotated[str, typer.Argument(help="The id of a release, or of a candidate that was evaluated.")],
    after: Annotated[str | None, typer.Argument(help="Another one; by default the serving release.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is different between two releases: documents, models, settings, prompts and figures.

    Example: rag-assets releases diff 0c5a41b2f3de
    """
    from rag_assets.cli.release_rows import difference
    from rag_assets.evaluation.changes import changes
    from rag_assets.project import Project
    from rag_assets.releasing import content_named

    with Project.open() as project:
        now = candidate_of_now(project)
        contents = [
            content_named(project.ledger, each or project.release().release_id, now) for each in (before, after)
        ]
        found = changes(project.store, project.ledger, *contents)
        row = difference(found, project.ledger)
    if as_json:
        print_json(row)
        return
    if row["before"] == row["after"]:
        say(
            f"{row['after']} is both sides: there is nothing to compare it with. Name another: rag-assets releases list"
        )
        return
    say(f"{row['before']} → {row['after']}")
    for sentence in found.sentences or ["Nothing is different."]:
        say(f"  {sentence}")
    for document in found.documents:
        say(f"  {document.kind}: {document.source}/{document.uri}" + (f" ({document.why})" if document.why else ""))
    for name, values in row["metrics"].items():
        if values["difference"]:
            say(f"  {name}: {values['before']:.4g} → {values['after']:.4g}")


@app.command("promote")
def promote(
    release: Annotated[str, typer.Argument(help="The id of a release, or of a candidate that was evaluated.")],
    force: Annotated[bool, typer.Option("--force", help="Serve it although a gate did not pass; on record.")] = False,
    reason: Annotated[str, typer.Option(help="Why, for the record. Needed with --force.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Answer from a release that does not serve, or from a candidate that a gate refused.

    Example: rag-assets releases promote 0c5a41b2f3de --force --reason "the questions are outdated"
    """
    from rag_assets.cli.release_rows import release_row
    from rag_assets.evaluation.question_table import stored_questions
    from rag_assets.evaluation.review import quality_subject
    from rag_assets.project import Project
    from rag_assets.releasing import promote as promote_release
    from rag_assets.releasing.champion import answers_with

    with Project.open() as project:
        questions = stored_questions(project.store.golden_questions())
        promotion = promote_release(
            project.store,
            project.ledger,
            release,
            candidate=candidate_of_now(project),
            quality=lambda content: quality_subject(content, questions, project.settings.evaluation),
            models=project.settings.models,
            sources=project.source_names,
            force=force,
            reason=reason if force else reason or "promoted by hand",
            by=operator(),
        )
        overruled = {one.gate: one.reason for one in promotion.overruled}
        row = release_row(promotion.release, project.ledger) | {"flipped": promotion.flipped, "overruled": overruled}
        row["answers_with"] = answers_with(project.ledger, project.settings.models, promotion.release)
    if as_json:
        print_json(row)
        return
    typer.echo(f"release {release} serves" if promotion.flipped else f"release {release} serves already")
    _say_what_answers(row)
    for gate, said in overruled.items():
        say(f"  overruled {gate}: {said}")


@app.command("rollback")
def rollback(
    to: Annotated[str | None, typer.Option("--to", help="A release id; by default the one that served before.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "rolled back by hand",
    as_json: JsonOption = False,
) -> None:
    """Answer from an earlier release again, at once. Nothing is computed or paid.

    Example: rag-assets releases rollback --reason "answers about limits were wrong"
    """
    from rag_assets.cli.release_rows import release_row
    from rag_assets.project import Project
    from rag_assets.releasing import roll_back
    from rag_assets.releasing.champion import answers_with

    with Project.open() as project:
        release = roll_back(
            project.store, project.ledger, sources=project.source_names, to=to, by=operator(), reason=reason
        )
        row = release_row(release, project.ledger)
        row["answers_with"] = answers_with(project.ledger, project.settings.models, release)
    if as_json:
        print_json(row)
    else:
        typer.echo(f"release {row['release']} serves")
        _say_what_answers(row)


@app.command("prune")
def prune(
    keep: Annotated[int | None, typer.Option(min=1, help="Newest releases kept; by default releases.keep.")] = None,
    keep_days: Annotated[
        int | None, typer.Option(min=0, help="Days since a release last served; by default releases.keep_days.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let go of old releases; what serves, and what a rollback goes to, always stays.

    Their rows in the store go with the next clean-up of the table. Revocations that no kept release needs end.

    Example: rag-assets releases prune --keep 5 --dry-run
    """
    from dataclasses import asdict

    from rag_assets.project import Project
    from rag_assets.releasing import prune as prune_releases

    with Project.open() as project:
        rule = project.settings.releases
        result = prune_releases(
            project.store,
            project.ledger,
            keep=rule.keep if keep is None else keep,
            keep_days=rule.keep_days if keep_days is None else keep_days,
            dry_run=dry_run,
        )
    if as_json:
        print_json(asdict(result))
        return
    would = "would be pruned" if dry_run else "pruned"
    typer.echo(f"{len(result.pruned)} releases {would}, {len(result.kept)} kept")
    for release_id in result.pruned:
        typer.echo(f"  {release_id}")
    if result.documents or result.sources:
        off = "would leave" if dry_run else "left"
        typer.echo(f"{len(result.documents)} documents and {len(result.sources)} sources {off} the deny-list")


def _say_what_answers(row: dict[str, Any]) -> None:
    if row["answers_with"] != row["chat_model"]:
        say(f"  its model {row['chat_model']} is gone: {row['answers_with']} answers")


def candidate_of_now(project: Project) -> ReleaseContent | None:
    """What a release would be made of now; None before the first snapshot."""
    from rag_assets.errors import NoReleaseError
    from rag_assets.releasing import candidate

    try:
        return project.content(candidate(project.ledger))
    except NoReleaseError:
        return None


def operator() -> str:
    """Who runs this command, for the record."""
    try:
        return f"command line ({getpass.getuser()})"
    except (KeyError, OSError, ImportError):  # a container may run under a number that has no name
        return "command line"
