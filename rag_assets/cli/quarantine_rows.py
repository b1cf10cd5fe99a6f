"""What the commands print of failed documents, and which of them a person means."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rag_assets.errors import DocumentError

if TYPE_CHECKING:
    from rag_assets.ledger import Failure
    from rag_assets.project import Project

NEXT_RUN = "next run"
WHEN_IT_CHANGES = "when it changes"
NEAR_NAMES = 3


def failure_rows(project: Project, failures: Sequence[Failure], now: datetime) -> list[dict[str, Any]]:
    """One row per failed document. `answers`: whether an earlier version of it is still answered from."""
    answering = _answering(project, failures)
    return [
        {
            "source": failure.source,
            "uri": failure.uri,
            "stage": failure.stage,
            "error": failure.error,
            "attempts": failure.attempts,
            "first_seen": failure.first_seen.isoformat(timespec="seconds"),
            "last_seen": failure.last_seen.isoformat(timespec="seconds"),
            "state": failure.state,
            "answers": failure.document_id in answering,
            "tried_again": _tried_again(failure, now),
        }
        for failure in failures
    ]


def _tried_again(failure: Failure, now: datetime) -> str:
    """`NEXT_RUN`, `WHEN_IT_CHANGES`, or the time of the first run that tries it although nothing changed."""
    if failure.retry_after is not None:
        return NEXT_RUN if failure.retry_after <= now else failure.retry_after.isoformat(timespec="seconds")
    return WHEN_IT_CHANGES if failure.gate else NEXT_RUN


def _answering(project: Project, failures: Sequence[Failure]) -> set[str]:
    """Which of these documents the serving release holds and nobody revoked."""
    from rag_assets.releasing import answering_documents

    denied = project.ledger.denied()
    ids = [failure.document_id for failure in failures if failure.source not in denied.sources]
    return answering_documents(project.store, project.ledger, ids) - denied.documents


def chosen(failures: Sequence[Failure], wanted: Sequence[str]) -> list[Failure]:
    """The failures that `wanted` names, each by its uri or as source/uri.

    Raises `DocumentError` for a name that no failed document has, and for one that documents of two sources have.
    """
    found: dict[tuple[str, str], Failure] = {}
    for name in wanted:
        matches = [one for one in failures if name in (one.uri, f"{one.source}/{one.uri}")]
        if not matches:
            raise DocumentError(f"No failed document is called {name!r}.", fix=_near(failures, name))
        if len(matches) > 1:
            sources = " or ".join(sorted(one.source for one in matches))
            raise DocumentError(f"{name!r} failed in more than one source.", fix=f"Say which with --source: {sources}.")
        found[matches[0].source, matches[0].uri] = matches[0]
    return list(found.values())


def _near(failures: Sequence[Failure], name: str) -> str:
    known = sorted({one.uri for one in failures} | {f"{one.source}/{one.uri}" for one in failures})
    near = difflib.get_close_matches(name, known, n=NEAR_NAMES, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(near)}? List all with: rag-assets quarantine list"
    return "List those that failed with: rag-assets quarantine list"
