"""Connectors: where documents come from.

A connector lists what a source has, each document with a fingerprint that costs no read of its content, and loads one
document at a time. Paths that lead outside the source's root are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from rag_assets.config import SourceSettings
from rag_assets.documents.model import Listed, Loaded


class Connector(Protocol):
    """One source of documents."""

    def list(self) -> Iterator[Listed]:
        """What the source has, sorted by uri. Raises `SourceUnavailableError` rather than list a part of it."""

    def load(self, uri: str) -> Loaded:
        """One document as it is now. Raises `LoadError`."""


def open_connector(source: SourceSettings, *, root: Path) -> Connector:
    """The connector of a source; relative paths start at `root`. Reads nothing yet, but some stores are connected to.

    Raises `SourceUnavailableError` for a URL whose protocol is unknown or whose store cannot be reached, and
    `MissingDependencyError` for one whose package is not installed.
    """
    from rag_assets.documents.connectors.files import LocalFiles
    from rag_assets.documents.connectors.remote import RemoteFiles
    from rag_assets.documents.connectors.selection import Selection

    selection = Selection.of(source.include, source.exclude)
    path = source.path.removeprefix("file://")
    if is_remote(source):
        return RemoteFiles(path, selection, max_file_bytes=source.max_file_bytes)
    return LocalFiles(root / Path(path).expanduser(), selection, max_file_bytes=source.max_file_bytes)


def is_remote(source: SourceSettings) -> bool:
    """Whether the documents of a source are behind a URL, and not in a folder of this machine."""
    return "://" in source.path.removeprefix("file://")
