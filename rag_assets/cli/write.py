"""`rag-assets write`: a text about a topic, from the released documents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag_assets.cli.answers import GroupOption, SourceOption, place
from rag_assets.cli.output import JsonOption, complain, print_json, say


def write(
    topic: Annotated[str, typer.Option("--topic", help="What the text is about.")],
    style: Annotated[str | None, typer.Option(help="A style that a set of examples teaches.")] = None,
    words: Annotated[int, typer.Option(min=20, max=5_000, help="The longest text, in words.")] = 300,
    picture: Annotated[Path | None, typer.Option(help="Draw a picture too, to this file.")] = None,
    source: SourceOption = None,
    group: GroupOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write about a topic from the released documents, with citations, in the style of your examples.

    The model that serves writes. The embedded reader cannot write: it quotes what says most about the topic.

    Example: rag-assets write --topic "rolling back a release" --style field-notes --words 200
    """
    from rag_assets.project import Project
    from rag_assets.tuning.writing import write as write_text

    with Project.open() as project:
        done = write_text(project, topic, style=style, words=words, sources=source, groups=group or (), picture=picture)
    if done.only_quotes:
        complain("note: the embedded reader cannot write; these are quotes from the documents, in no style of yours.")
    elif not done.grounded:
        complain("warning: no statement of this text was found in the documents; nothing of it is proved.")
    if not done.only_quotes and done.model != done.released_model:
        complain(f"note: {done.released_model} did not answer as such; {done.model} wrote this.")
    if as_json:
        print_json(done.to_dict())
        return
    say(done.text)
    for citation in done.citations:
        where = place(citation.title, citation.source, citation.uri, citation.heading_path, citation.page)
        say(f"  [{citation.n}] {where}")
    if done.picture:
        say(f"  picture {done.picture}")
    say(f"  answer {done.answer_id}")
