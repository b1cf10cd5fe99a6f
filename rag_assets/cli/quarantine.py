"""`rag-assets quarantine`: the documents that failed, and what a person decides about them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_assets.cli.output import JsonOption, print_json, say

if TYPE_CHECKING:
    from rag_assets.ledger import Failure
    from rag_assets.project import Project

app = typer.Typer(
    help="List the documents that failed, try them again, or give them up.", no_args_is_help=True, rich_markup_mode=None
)

SourceOption = Annotated[str | None, typer.Option("--source", "-s", help="Only documents of this source.")]


class Stage(StrEnum):
    """Where a document failed."""

    load = "load"
    parse = "parse"
    chunk = "chunk"
    embed = "embed"


@app.command("list")
def list_failures(
    source: SourceOption = None,
    stage: Annotated[Stage | None, typer.Option(help="Only those that failed there.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the documents that could not be read, parsed, cut or embedded, and those that were given up.

    Example: rag-assets quarantine list --source handbook
    """
    from datetime import UTC, datetime

    from rag_assets.cli.quarantine_rows import failure_rows
    from rag_assets.project import Project

    with Project.open() as project:
        failures = [one for one in _quarantined(project, source) if stage is None or one.stage == stage.value]
        rows = failure_rows(project, failures, datetime.now(UTC))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        _print(row)
    dropped = sum(row["state"] == "dropped" for row in rows)
    if rows:
        say(f"{len(rows) - dropped:,} failed, {dropped:,} given up. Times are in UTC.")
    else:
        say("No document failed.")


@app.command("retry")
def retry(
    uris: Annotated[list[str] | None, typer.Argument(metavar="URI", help="Documents, as the list names them.")] = None,
    source: SourceOption = None,
    every: Annotated[bool, typer.Option("--all", help="Every document that failed, of every source.")] = False,
    run: Annotated[bool, typer.Option(help="Ingest their sources now, and release the index.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Try failed documents again although nothing changed, those of a whole source with --source alone.

    A document that was given up is tried again when it is named. Ends as `rag-assets ingest` does: with exit code 3
    when a document of these sources fails again.

    Example: rag-assets quarantine retry handbook/report.pdf
    """
    from rag_assets.cli.ingest import bring_up_to_date
    from rag_assets.project import Project

    with Project.open() as project:
        chosen = _to_retry(project, uris or [], source, every)
        names = tuple(sorted({failure.source for failure in chosen}))
        _retry(project, chosen)
        done = bring_up_to_date(project, names) if run and names else None
    retried = [{"source": one.source, "uri": one.uri} for one in chosen]
    if as_json:
        print_json({"retried": retried, "ingest": done.summary if done else None})
    else:
        say(f"{len(retried):,} of the documents that failed {'are' if len(retried) != 1 else 'is'} tried again.")
        if done:
            done.print()
        elif names:
            say(f"Next: rag-assets ingest {' '.join(f'--source {name}' for name in names)}")
    if done:
        done.complain_and_exit()


@app.command("drop")
def drop(
    uris: Annotated[list[str], typer.Argument(metavar="URI", help="Documents, as the list names them.")],
    source: SourceOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this nothing is changed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Give failed documents up: they are not answered from any more, at once, and no longer count as failed.

    The documents themselves are not touched. One is tried again when it changes, or by: rag-assets quarantine retry

    Example: rag-assets quarantine drop --source handbook report.pdf --yes
    """
    from rag_assets.cli.quarantine_rows import chosen
    from rag_assets.errors import ConfigurationError
    from rag_assets.ingestion.decisions import drop as drop_failures
    from rag_assets.project import Project

    with Project.open() as project:
        wanted = chosen(_quarantined(project, source), uris)
        named = ", ".join(f"{one.source}/{one.uri}" for one in wanted)
        if not yes:
            raise ConfigurationError(
                f"This would give up {named}: nothing would be answered from them.", fix="Add --yes to do it."
            )
        names = sorted({one.source for one in wanted})
        for name in names:
            of_source = [one for one in wanted if one.source == name]
            drop_failures(name, of_source, project.settings.source(name), store=project.store, ledger=project.ledger)
    if as_json:
        print_json({"dropped": [{"source": one.source, "uri": one.uri} for one in wanted]})
        return
    say(f"Given up: {named}. They are not answered from any more; what is stored of them goes with the next run:")
    say(f"  rag-assets ingest {' '.join(f'--source {name}' for name in names)}")


def _quarantined(project: Project, source: str | None) -> list[Failure]:
    if source is not None:
        project.settings.source(source)
    return project.ledger.quarantined(source)


def _to_retry(project: Project, uris: list[str], source: str | None, every: bool) -> list[Failure]:
    from rag_assets.cli.quarantine_rows import chosen
    from rag_assets.errors import ConfigurationError

    if every and (uris or source):
        raise ConfigurationError("--all was given with a name.", fix="Give one of them.")
    if not (uris or source or every):
        raise ConfigurationError(
            "It was not said what to try again.", fix="Name documents, or a source with --source, or give --all."
        )
    failures = _quarantined(project, source)
    return chosen(failures, uris) if uris else [failure for failure in failures if not failure.dropped]


def _retry(project: Project, failures: list[Failure]) -> None:
    from rag_assets.ingestion.decisions import retry as retry_failures

    for name in sorted({failure.source for failure in failures}):
        of_source = [failure for failure in failures if failure.source == name]
        retry_failures(name, of_source, store=project.store, ledger=project.ledger)


def _print(row: dict[str, Any]) -> None:
    from rag_assets.cli.quarantine_rows import NEXT_RUN, WHEN_IT_CHANGES

    again = row["tried_again"]
    when = {NEXT_RUN: "by the next run", WHEN_IT_CHANGES: "when it changes"}.get(again, f"after {_minute(again)}")
    times = f"{row['attempts']} attempt{'' if row['attempts'] == 1 else 's'}"
    given_up = ", GIVEN UP" if row["state"] == "dropped" else ""
    say(f"{row['source']}/{row['uri']}  {row['stage']}{given_up}, {times}: {_minute(row['first_seen'])}"
        f" to {_minute(row['last_seen'])}")  # fmt: skip
    say(f"  {' '.join(row['error'].split())}")
    say(f"  {'An earlier version answers' if row['answers'] else 'Nothing of it answers'}; it is tried again {when}.")


def _minute(time: str) -> str:
    return time[:16].replace("T", " ")
