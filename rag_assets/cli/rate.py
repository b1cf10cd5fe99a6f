"""`rag-assets rate`: what people thought of an answer."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from rag_assets.cli.output import JsonOption, print_json


def rate(
    answer: Annotated[str, typer.Argument(help="The id of the answer: ask --json prints it as answer_id.")],
    good: Annotated[bool, typer.Option("--good", help="It was right and useful.")] = False,
    bad: Annotated[bool, typer.Option("--bad", help="It was not.")] = False,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Rate an answer; the rating is kept with the release that gave it.

    Example: rag-assets rate 9f2c1d0e5b7a4c3f8e6d2a1b0c9f8e7d --bad --reason "cites the old limits"
    """
    from dataclasses import asdict

    from rag_assets.cli.releases import operator
    from rag_assets.project import Project

    if good == bad:
        raise typer.BadParameter("give exactly one of --good and --bad")
    rating: Literal["good", "bad"] = "good" if good else "bad"
    with Project.open() as project:
        given = project.ledger.record_rating(answer, rating, reason=reason, by=operator())
    if as_json:
        print_json(asdict(given))
    else:
        typer.echo(f"answer {given.answer_id} of release {given.release_id} is rated {given.rating}")
