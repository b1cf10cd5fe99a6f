"""The examples of a set as its files, the golden questions or the ledger have them now.

Every mistake of every file is reported at once, by file and line, and nothing is loaded unless all of it is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rag_assets.config import ExampleSetSettings
from rag_assets.errors import ExamplesError
from rag_assets.evaluation.configured import configured_questions
from rag_assets.evaluation.labelled_files import described, matching_files, shown, text_of
from rag_assets.evaluation.labelled_rows import Problem
from rag_assets.tuning.examples.chats import chat_examples
from rag_assets.tuning.examples.golden import golden_examples
from rag_assets.tuning.examples.model import Example
from rag_assets.tuning.examples.posts import post_examples
from rag_assets.tuning.examples.question_rows import question_examples
from rag_assets.tuning.examples.rated import rated_examples

if TYPE_CHECKING:
    from rag_assets.project import Project

SUFFIXES = {
    "questions": (".jsonl", ".ndjson", ".csv"),
    "posts": (".md", ".txt"),
    "chat": (".jsonl", ".ndjson"),
}
"""Kind → the files it is read from."""


def read_examples(project: Project, name: str) -> list[Example]:
    """The examples of the set `name`, each question once. A set of golden questions or ratings may be empty.

    Raises `ConfigurationError` for a set that the configuration does not have, `ExamplesError` with every mistake in
    its files, and `QuestionsError` with those of the golden questions.
    """
    settings = project.settings.example_set(name)
    if settings.kind == "golden":
        return golden_examples(configured_questions(project), set_name=name)
    if settings.kind == "ratings":
        return rated_examples(project.ledger, set_name=name, closed_book=settings.closed_book)
    return _of_files(name, settings, project.settings.root)


def example_files(name: str, settings: ExampleSetSettings, root: Path) -> list[Path]:
    """The files of a set, each once; none for a set that is made from the project itself. Raises `ExamplesError`."""
    files, problems = _matching(settings, root)
    if problems:
        raise _error(name, problems)
    return files


def _matching(settings: ExampleSetSettings, root: Path) -> tuple[list[Path], list[Problem]]:
    return matching_files(settings.files, root, SUFFIXES.get(settings.kind, ()), what=f"the kind {settings.kind}")


def _of_files(name: str, settings: ExampleSetSettings, root: Path) -> list[Example]:
    files, problems = _matching(settings, root)
    if problems:
        raise _error(name, problems)
    examples: list[Example] = []
    for file in files:
        found, wrong = _read(file, shown(file, root), name, settings)
        examples += found
        problems += wrong
    problems += _repeated(examples)
    if problems:
        raise _error(name, problems)
    return examples


def _read(file: Path, place: str, name: str, settings: ExampleSetSettings) -> tuple[list[Example], list[Problem]]:
    text, problems = text_of(file, place)
    if problems:
        return [], problems
    if settings.kind == "posts":
        return post_examples(text, place, set_name=name, settings=settings)
    if settings.kind == "chat":
        examples, problems = chat_examples(text, place, set_name=name, settings=settings)
    else:
        examples, problems = question_examples(text, place, file.suffix.lower(), set_name=name, settings=settings)
    if not examples and not problems:
        problems = [Problem(place, "it holds no example")]
    return examples, problems


def _repeated(examples: Sequence[Example]) -> list[Problem]:
    """Questions that come twice: one of two answers must be the better one, and only a person can say which."""
    first: dict[str, Example] = {}
    problems = []
    for example in examples:
        before = first.setdefault(example.asked, example)
        if before is not example:
            problems.append(Problem(example.origin, f"the same question is in {before.origin}; keep one"))
    return problems


def _error(name: str, problems: Sequence[Problem]) -> ExamplesError:
    return ExamplesError(
        f"The examples of the set {name!r} have {described(problems)}.",
        fix=f"Correct the files, or name others in examples.{name}.files. What the set had stays.",
    )
