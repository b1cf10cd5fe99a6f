"""Posts from text files: the first line is the title, plain or as a Markdown heading, and the rest is the body.

A title that is underlined with `===` or `---` is one too. A block of front matter before it is a mistake, for what a
title is called there differs from site to site.

The title is the topic that a model is asked to write about, in training as by `rag-assets write`.
"""

from __future__ import annotations

import re

from rag_assets.config import ExampleSetSettings
from rag_assets.evaluation.labelled_rows import Problem, check_writable
from rag_assets.tuning.examples.model import Example

_UNDERLINE = re.compile(r"[ \t]*(?:={3,}|-{3,})[ \t]*(?:\n|$)")
_WORD = re.compile(r"\w")


def post_examples(
    text: str, place: str, *, set_name: str, settings: ExampleSetSettings
) -> tuple[list[Example], list[Problem]]:
    """The one example of a file, or what is wrong with it. `place` is the file's name for people."""
    before, _, _ = text.partition(text.strip()[:1] or "\n")
    line = before.count("\n") + 1
    first, _, body = text.strip().partition("\n")
    title = first.lstrip("#").strip()
    if underline := _UNDERLINE.match(body):
        body = body[underline.end() :]
    problems = []
    try:
        check_writable(text)
    except ValueError as error:
        problems.append(Problem(f"{place}:{line}", str(error)))
    if not _WORD.search(title):
        said = f", and is {title!r}; put nothing before the title" if title else ""
        problems.append(Problem(f"{place}:{line}", f"its first line must be the title{said}"))
    elif not body.strip():
        problems.append(Problem(f"{place}:{line}", "it has a title and no body"))
    if problems:
        return [], problems
    example = Example(
        example_set=set_name,
        kind="posts",
        origin=f"{place}:{line}",
        prompt=title,
        answer=body.strip(),
        closed_book=settings.closed_book,
        style=settings.style,
    )
    return [example], []
