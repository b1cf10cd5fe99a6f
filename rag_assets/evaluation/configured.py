"""Golden questions as a project has them: from the files it names, or from files that somebody gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rag_assets.evaluation.model import GoldenQuestion
from rag_assets.evaluation.question_files import DocumentText, load_questions

if TYPE_CHECKING:
    from rag_assets.project import Project


def configured_questions(project: Project) -> list[GoldenQuestion]:
    """The questions of the files under `evaluation.questions`. Raises `QuestionsError` with every mistake in them."""
    patterns = project.settings.evaluation.questions
    return load_questions(patterns, project.settings.root, documents=lambda: _documents(project))


def read_questions(project: Project, files: Sequence[Path]) -> list[GoldenQuestion]:
    """The questions of `files`, relative to the working folder. Raises `QuestionsError` with every mistake in them."""
    return load_questions([str(file) for file in files], Path.cwd(), documents=lambda: _documents(project))


def _documents(project: Project) -> list[DocumentText]:
    """The stored text of every document: SQuAD names its paragraphs by their text alone."""
    found = []
    for name in project.source_names:
        table = project.store.raw_documents(name)
        if table.exists():
            rows = table.rows(columns=["source", "uri", "text"]).to_pylist()
            found += [DocumentText(source=row["source"], uri=row["uri"], text=row["text"]) for row in rows]
    return found
