"""Finds what a person means: an answer, a chunk, a document, a training file or a tuned model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag_assets.errors import QueryError
from rag_assets.fingerprints import document_id
from rag_assets.ledger import Snapshot
from rag_assets.ledger.columns import storable
from rag_assets.lineage.documents import stored_hash, trace_document
from rag_assets.lineage.model import AnswerTrace, ChunkTrace, DocumentTrace
from rag_assets.lineage.traces import find_chunk, trace_answer, trace_chunk
from rag_assets.lineage.training import TrainingFileTrace, find_training_file, trace_training_file
from rag_assets.project import Project
from rag_assets.releasing import is_kept
from rag_assets.releasing.pins import index_of
from rag_assets.store.sql import any_of

_ID = re.compile(r"[0-9a-f]{32}")


def trace(project: Project, text: str) -> AnswerTrace | ChunkTrace | DocumentTrace | TrainingFileTrace:
    """The chain of what has the id `text`, or of the document `text`, as `source/uri` or `uri` alone.

    An id is that of an answer, a chunk, a training file or a tuned model. Raises `QueryError` when there is nothing of
    this name, and when several sources have a document of it, and `TuningError` when a training file is gone.
    """
    answer = project.ledger.answer(storable(text))
    if answer is not None:
        return trace_answer(project, answer)
    trained = find_training_file(project, storable(text))
    if trained is not None:
        return trace_training_file(project, *trained)
    if _ID.fullmatch(text) and find_chunk(project, text) is not None:
        return trace_chunk(project, text)
    documents = _documents(project, text)
    if len(documents) == 1:
        return trace_document(project, *documents[0])
    if documents:
        raise QueryError(
            f"{text!r} is the name of {len(documents)} documents.",
            fix=f"Say which: {', '.join(f'{source}/{uri}' for source, uri in documents)}",
        )
    raise QueryError(
        f"There is no answer, chunk, training file, tuned model or document {text!r}.",
        fix="ask --json and search --json print ids; a document is written as source/uri.",
    )


def _documents(project: Project, text: str) -> list[tuple[str, str]]:
    """The documents, as (source, uri), that `text` can mean: of sources that are, and of those that were released."""
    denied, snapshots = project.ledger.denied(), project.ledger.snapshots()
    sources = {*project.source_names, *denied.sources, *(name for one in snapshots for name in one.sources)}
    named = [(name, text.removeprefix(f"{name}/")) for name in sorted(sources) if text.startswith(f"{name}/")]
    anywhere = [(name, text) for name in sorted(sources)]
    for candidates in (named, anywhere):  # an address with its source is meant as it stands
        known = denied.documents | _held(project, snapshots, candidates)
        if found := [one for one in candidates if document_id(*one) in known or _is_recorded(project, *one)]:
            return found
    return []


def _held(project: Project, snapshots: Sequence[Snapshot], candidates: Sequence[tuple[str, str]]) -> set[str]:
    """The ids of those of `candidates` that a kept snapshot has rows of, as before versions were recorded."""
    keys = {document_id(*one) for one in candidates}
    held: set[str] = set()
    for snapshot in snapshots:
        missing = sorted(keys - held)
        if missing and is_kept(project.store, snapshot):
            where = any_of("document_id", missing)
            rows = index_of(project.store, snapshot).rows(["document_id"], where, snapshot.version)
            held |= set(rows["document_id"].to_pylist())
    return held


def _is_recorded(project: Project, source: str, uri: str) -> bool:
    return stored_hash(project, source, uri) is not None or bool(project.ledger.versions_of(document_id(source, uri)))
