"""From an answer, or a chunk, down to the bytes of the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rag_assets.errors import QueryError
from rag_assets.ledger import Answer, Release, Snapshot
from rag_assets.lineage.files import Files
from rag_assets.lineage.model import AnswerTrace, ChunkTrace, CitationTrace, VersionTrace
from rag_assets.lineage.releases import trace_release
from rag_assets.project import Project
from rag_assets.releasing import is_kept
from rag_assets.releasing.pins import index_of
from rag_assets.store import sql_literal

CHUNK_COLUMNS = [
    "chunk_id",
    "document_id",
    "document_hash",
    "source",
    "uri",
    "title",
    "heading_path",
    "page",
    "start_offset",
    "end_offset",
    "text",
]


def trace_answer(project: Project, answer: Answer) -> AnswerTrace:
    """The answer with its release and, for each citation, the chunk, the version of the document and its file."""
    release = project.release(answer.release_id)
    snapshot = project.snapshot(release.snapshot_id)
    files = Files(project)
    sources = {str(citation["source"]) for citation in answer.citations}
    ratings = project.ledger.ratings(answer_id=answer.answer_id)
    return AnswerTrace(
        answer_id=answer.answer_id,
        question=answer.question,
        answer=answer.answer,
        answerable=answer.answerable,
        model=answer.model,
        usage=answer.usage,
        cost_usd=answer.cost_usd,
        created_at=answer.created_at,
        ratings=tuple(
            {"rating": one.rating, "reason": one.reason, "by": one.rated_by, "at": one.created_at} for one in ratings
        ),
        release=trace_release(project, release, sources or None),
        citations=tuple(_citation(project, files, citation, snapshot) for citation in answer.citations),
    )


def trace_chunk(project: Project, chunk_id: str) -> ChunkTrace:
    """The chunk as the serving release holds it, else as the newest kept snapshot does, else as its source does now.

    Raises `QueryError` when it is nowhere.
    """
    found = find_chunk(project, chunk_id)
    if found is None:
        raise QueryError(f"No kept version has a chunk {chunk_id!r}.", fix="search --json prints the ids of chunks.")
    row, snapshot = found
    release = _release_of(project, snapshot) if snapshot else None
    traced = trace_release(project, release, [row["source"]]) if release else None
    return _chunk(row, snapshot, version_of_row(project, Files(project), row), traced)


def find_chunk(
    project: Project, chunk_id: str, preferred: Snapshot | None = None
) -> tuple[dict[str, Any], Snapshot | None] | None:
    """The row of a chunk, and the snapshot that holds it; None as the snapshot for a row of a `chunks` table."""
    serving = project.ledger.serving()
    first = [preferred] if preferred else [project.snapshot(serving.snapshot_id)] if serving else []
    rest = [one for one in project.ledger.snapshots() if one.snapshot_id not in {each.snapshot_id for each in first}]
    for snapshot in [*first, *rest]:
        if is_kept(project.store, snapshot):
            where = f"chunk_id = {sql_literal(chunk_id)}"
            rows = index_of(project.store, snapshot).rows(CHUNK_COLUMNS, where, snapshot.version).to_pylist()
            if rows:
                return rows[0], snapshot
    for name in project.source_names:
        chunks = project.store.chunks(name)
        if chunks.exists() and (rows := chunks.lookup([chunk_id], CHUNK_COLUMNS).to_pylist()):
            return rows[0], None
    return None


def version_of_row(project: Project, files: Files, row: Mapping[str, Any]) -> VersionTrace:
    """The version of the document that a row of an index or of `chunks` was cut from."""
    known = project.ledger.document_version(row["document_id"], row["document_hash"])
    return VersionTrace(
        document_id=row["document_id"],
        document_hash=row["document_hash"],
        source=row["source"],
        uri=row["uri"],
        content_hash=known.content_hash if known else None,
        parser=known.parser if known else None,
        loaded_at=known.loaded_at if known else None,
        run_id=known.run_id if known else None,
        file=files.compare(row["source"], row["uri"], known.content_hash if known else None),
    )


def _citation(project: Project, files: Files, citation: Mapping[str, Any], snapshot: Snapshot) -> CitationTrace:
    found = find_chunk(project, citation["chunk_id"], snapshot)
    if found is None:
        place = ChunkTrace(citation["chunk_id"], citation["source"], citation["uri"], None)
        return CitationTrace(int(citation["n"]), citation["quote"], None, place)
    row, holder = found
    chunk = _chunk(row, holder, version_of_row(project, files, row), None)
    return CitationTrace(int(citation["n"]), citation["quote"], citation["quote"] in row["text"], chunk)


def _chunk(row: Mapping[str, Any], snapshot: Snapshot | None, version: VersionTrace, release: Any | None) -> ChunkTrace:
    return ChunkTrace(
        chunk_id=row["chunk_id"],
        source=row["source"],
        uri=row["uri"],
        snapshot_id=snapshot.snapshot_id if snapshot else None,
        title=row["title"],
        heading_path=tuple(row["heading_path"]),
        page=row["page"],
        start_offset=row["start_offset"],
        end_offset=row["end_offset"],
        text=row["text"],
        version=version,
        release=release,
    )


def _release_of(project: Project, snapshot: Snapshot) -> Release | None:
    """The serving release if it is of `snapshot`, else the newest that is."""
    serving = project.ledger.serving()
    if serving is not None and serving.snapshot_id == snapshot.snapshot_id:
        return serving
    of_it = (release for release in project.ledger.releases() if release.snapshot_id == snapshot.snapshot_id)
    return next(of_it, None)
