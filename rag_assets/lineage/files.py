"""The file of a document as it is now, read through its connector."""

from __future__ import annotations

from rag_assets.errors import LoadError, RagAssetsError
from rag_assets.lineage.model import FileTrace
from rag_assets.project import Project


class Files:
    """Compares files with the hash of their former bytes. Each file is read once, however often it is asked about."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._read: dict[tuple[str, str], FileTrace] = {}

    def compare(self, source: str, uri: str, content_hash: str | None) -> FileTrace:
        """The file against `content_hash`, which is None where no version of it is recorded."""
        key = source, uri
        if key not in self._read:
            self._read[key] = self._look(source, uri)
        found = self._read[key]
        if found.sha256 is None or content_hash is None:
            return found
        return FileTrace("unchanged" if found.sha256 == content_hash else "changed", found.sha256)

    def _look(self, source: str, uri: str) -> FileTrace:
        try:
            loaded = self._project.connector(source, fetch=True).load(uri)
        except LoadError as error:
            gone = isinstance(error.__context__, FileNotFoundError)
            return FileTrace("gone", None) if gone else FileTrace("unknown", None, error.problem)
        except RagAssetsError as error:
            return FileTrace("unknown", None, error.problem)
        return FileTrace("unknown", loaded.content_hash, "no version of it is recorded")
