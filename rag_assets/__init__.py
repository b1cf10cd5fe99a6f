"""Documents in, cited answers out: retrieval-augmented generation as Dagster assets.

From a notebook:

    import rag_assets

    rag_assets.ask("How large should a chunk be?")
    rag_assets.search("chunk size")
    rag_assets.read("chunks", source="handbook")
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

    from rag_assets.answering import Answer, Observer
    from rag_assets.store import Hit

__all__ = ["ask", "read", "search"]


def read(table: Literal["raw_documents", "chunks"], *, source: str, config_file: Path | None = None) -> pa.Table:
    """The rows of one source's table as Arrow. Raises `UnknownSourceError` and `ConfigurationError`."""
    from rag_assets.project import Project

    with Project.open(config_file) as project:
        project.settings.source(source)
        stored = project.store.raw_documents(source) if table == "raw_documents" else project.store.chunks(source)
        return stored.rows() if stored.exists() else stored.schema.empty_table()


def search(
    query: str,
    *,
    k: int | None = None,
    sources: Sequence[str] | None = None,
    groups: Collection[str] = (),
    observers: Sequence[Observer] = (),
    config_file: Path | None = None,
) -> list[Hit]:
    """The best passages of the serving release, best first, from `sources` alone if given.

    What is for some is found by a member of its `groups` alone. `observers` are told of every step, for tracing. Raises
    `NoReleaseError`, `QueryError` and `UnknownSourceError`.
    """
    from rag_assets.project import Project

    with Project.open(config_file) as project:
        return project.search(query, k=k, sources=sources, groups=groups, observers=observers)[1]


def ask(
    question: str,
    *,
    sources: Sequence[str] | None = None,
    groups: Collection[str] = (),
    observers: Sequence[Observer] = (),
    config_file: Path | None = None,
) -> Answer:
    """A cited answer from the serving release, with `sources`, `groups` and `observers` as in `search`.

    Raises `NoReleaseError`, `QueryError`, `UnknownSourceError` and `ModelError`.
    """
    from rag_assets.project import Project

    with Project.open(config_file) as project:
        return project.ask(question, sources=sources, groups=groups, observers=observers)
