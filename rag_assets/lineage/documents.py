"""From a file up: its versions, its chunks in what serves, and the answers that cite it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rag_assets.fingerprints import document_id
from rag_assets.lineage.files import Files
from rag_assets.lineage.model import DocumentTrace, VersionTrace
from rag_assets.lineage.traces import version_of_row
from rag_assets.project import Project
from rag_assets.releasing import is_kept
from rag_assets.releasing.pins import index_of
from rag_assets.store import sql_literal

SHOWN_ANSWERS = 50


def trace_document(project: Project, source: str, uri: str) -> DocumentTrace:
    """Everything about the document `uri` of `source`, also where it is gone."""
    key, ledger = document_id(source, uri), project.ledger
    stored, held = stored_hash(project, source, uri), _holders(project, key)
    files = Files(project)
    versions = [
        VersionTrace(
            document_id=key,
            document_hash=one.document_hash,
            source=one.source,
            uri=one.uri,
            content_hash=one.content_hash,
            parser=one.parser,
            loaded_at=one.loaded_at,
            run_id=one.run_id,
            file=files.compare(source, uri, one.content_hash),
        )
        for one in ledger.versions_of(key)
    ]
    for version in ({stored} if stored else set()) | held.keys():  # what was never recorded is shown all the same
        if version not in {one.document_hash for one in versions}:
            row = {"document_id": key, "document_hash": version, "source": source, "uri": uri}
            versions.append(version_of_row(project, files, row))
    now = next((one.content_hash for one in versions if one.document_hash == stored), None)
    denied, serving = ledger.denied(), ledger.serving()
    return DocumentTrace(
        document_id=key,
        source=source,
        uri=uri,
        stored_hash=stored,
        denied=key in denied.documents or source in denied.sources,
        file=files.compare(source, uri, now),
        versions=tuple(replace(one, releases=tuple(held.get(one.document_hash, ()))) for one in versions),
        serving_release=serving.release_id if serving else None,
        chunks=tuple(_serving_chunks(project, key)),
        answers=tuple(_answers(project, source, uri)),
    )


def _answers(project: Project, source: str, uri: str) -> list[dict[str, Any]]:
    """The newest answers that cite the document, each with the chunks that it cites."""
    return [
        {
            "answer_id": answer.answer_id,
            "release": answer.release_id,
            "question": answer.question,
            "created_at": answer.created_at,
            "chunk_ids": [
                citation["chunk_id"]
                for citation in answer.citations
                if (citation["source"], citation["uri"]) == (source, uri)
            ],
        }
        for answer in project.ledger.answers_citing(uri, source=source, limit=SHOWN_ANSWERS)
    ]


def stored_hash(project: Project, source: str, uri: str) -> str | None:
    """The version of the document that its source has now; None when it has none."""
    documents = project.store.raw_documents(source)
    if not documents.exists():
        return None
    rows = documents.lookup([document_id(source, uri)], ["row_hash"])
    return str(rows["row_hash"][0].as_py()) if rows.num_rows else None


def _holders(project: Project, key: str) -> dict[str, list[str]]:
    """Version of the document → the kept releases that hold it, newest first."""
    held: dict[str, list[str]] = {}
    versions: dict[str, set[str]] = {}
    for release in project.ledger.releases():
        if release.snapshot_id not in versions:
            snapshot = project.snapshot(release.snapshot_id)
            rows: list[dict[str, Any]] = []
            if is_kept(project.store, snapshot):
                where = f"document_id = {sql_literal(key)}"
                rows = index_of(project.store, snapshot).rows(["document_hash"], where, snapshot.version).to_pylist()
            versions[release.snapshot_id] = {row["document_hash"] for row in rows}
        for version in versions[release.snapshot_id]:
            held.setdefault(version, []).append(release.release_id)
    return held


def _serving_chunks(project: Project, key: str) -> list[dict[str, Any]]:
    serving = project.ledger.serving()
    snapshot = project.snapshot(serving.snapshot_id) if serving else None
    if snapshot is None or not is_kept(project.store, snapshot):
        return []
    columns = ["chunk_id", "ordinal", "heading_path", "page", "start_offset", "end_offset", "document_hash"]
    where = f"document_id = {sql_literal(key)}"
    rows = index_of(project.store, snapshot).rows(columns, where, snapshot.version).to_pylist()
    return sorted(rows, key=lambda row: int(row["ordinal"]))
