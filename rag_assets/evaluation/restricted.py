"""Which documents a report may name and must not quote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag_assets.fingerprints import document_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from rag_assets.project import Project


def restricted(project: Project) -> Callable[[str, str], bool]:
    """Whether the document of a source and a uri is not for everyone: revoked, or of a source with `allowed_groups`.

    It is as the deny-list and the configuration say now; a source that is not configured any more is for nobody.
    """
    denied, open_sources = project.ledger.denied(), project.visible_sources()

    def hidden(source: str, uri: str) -> bool:
        closed = source not in open_sources or source in denied.sources
        return closed or document_id(source, uri) in denied.documents

    return hidden
