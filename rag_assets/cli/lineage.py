"""`rag-assets lineage`: from an answer, or a tuned model, to the bytes of the files it stands on, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from rag_assets.cli.output import JsonOption, print_json, say

if TYPE_CHECKING:
    from rag_assets.lineage import AnswerTrace, ChunkTrace, DocumentTrace, ReleaseTrace, TrainingFileTrace, VersionTrace

UNKNOWN = "not recorded"
SHOWN_CHARACTERS = 160


def lineage(
    of: Annotated[
        str,
        typer.Argument(help="The id of an answer, chunk, training file or tuned model, or a document as source/uri."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Show where an answer, a chunk or a tuned model came from, or what became of a document.

    Example: rag-assets lineage handbook/onboarding.md
    """
    from dataclasses import asdict

    from rag_assets.lineage import AnswerTrace, ChunkTrace, TrainingFileTrace, trace
    from rag_assets.project import Project

    with Project.open() as project:
        found = trace(project, of)
    if as_json:
        kinds = {AnswerTrace: "answer", ChunkTrace: "chunk", TrainingFileTrace: "training_file"}
        print_json({"kind": kinds.get(type(found), "document"), **asdict(found)})
        return
    if isinstance(found, AnswerTrace):
        lines = _answer(found)
    elif isinstance(found, ChunkTrace):
        lines = _whole_chunk(found)
    elif isinstance(found, TrainingFileTrace):
        lines = _training_file(found)
    else:
        lines = _document(found)
    for line in lines:
        say(line)


def _answer(found: AnswerTrace) -> Iterator[str]:
    yield f"answer {found.answer_id}  {found.created_at:%Y-%m-%d %H:%M:%S} UTC  {found.model}"
    yield f"  question: {_short(found.question)}"
    yield f"  answer:   {_short(found.answer)}"
    for rating in found.ratings:
        yield f"  rated {rating['rating']} by {rating['by']}" + (f": {rating['reason']}" if rating["reason"] else "")
    for citation in found.citations:
        yield f"[{citation.n}] “{_short(citation.quote)}”"
        yield from _indented(_chunk(citation.chunk))
        if citation.quote_found is False:
            yield "  the quote does not stand in this chunk"
    yield from _release(found.release)


def _whole_chunk(found: ChunkTrace) -> Iterator[str]:
    yield from _chunk(found)
    yield f"  text: {_short(found.text or '')}"
    if found.release is not None:
        yield from _release(found.release)


def _chunk(found: ChunkTrace) -> Iterator[str]:
    where = " > ".join(found.heading_path)
    page = f", page {found.page}" if found.page else ""
    yield f"chunk {found.chunk_id}" + (f"  {where}{page}" if where or page else "")
    if found.version is None:
        yield f"  of {found.source}/{found.uri}; it is in no version that is kept"
        return
    held = f"snapshot {found.snapshot_id}" if found.snapshot_id else "no snapshot yet"
    yield f"  characters {found.start_offset}–{found.end_offset} of the document's text, in {held}"
    yield from _version(found.version)


def _version(found: VersionTrace) -> Iterator[str]:
    yield f"document {found.source}/{found.uri}  version {found.document_hash[:12]}"
    yield f"  file sha256 {found.content_hash or UNKNOWN}  parser {found.parser or UNKNOWN}"
    read = f"{found.loaded_at:%Y-%m-%d %H:%M:%S} UTC" if found.loaded_at else UNKNOWN
    yield f"  read {read}, run {found.run_id or UNKNOWN}"
    note = f" ({found.file.note})" if found.file.note else ""
    yield f"  the file now: {found.file.state}{note}"
    if found.releases:
        yield f"  in releases: {', '.join(found.releases)}"


def _release(found: ReleaseTrace) -> Iterator[str]:
    marks = [mark for mark, holds in (("serves now", found.serving), ("forced", found.forced)) if holds]
    yield f"release {found.release_id}" + (f"  ({', '.join(marks)})" if marks else "")
    yield f"  run {found.run_id or UNKNOWN}, begun by {found.served_by or 'nobody yet'}"
    yield f"  chat model {found.chat_model}, prompts {found.prompts_hash[:12]}"
    yield f"  evaluation {found.evaluation_id or 'none'}" + (f": {found.report}" if found.report else "")
    snapshot = found.snapshot
    kept = "" if snapshot.kept else "  (pruned: its rows are no longer kept)"
    yield f"snapshot {snapshot.snapshot_id}{kept}"
    yield f"  table {snapshot.table} version {snapshot.table_version}, run {snapshot.run_id or UNKNOWN}"
    yield f"  chunker {snapshot.chunker or UNKNOWN}, embedding space {snapshot.embedding_space}"
    for stage in snapshot.stages:
        if stage.data_version is None:
            yield f"  {stage.source}/{stage.asset}: {UNKNOWN}"
        else:
            at = f" table version {stage.table_version}" if stage.table_version is not None else ""
            yield f"  {stage.source}/{stage.asset}: {stage.data_version[:12]}{at}, run {stage.run_id or UNKNOWN}"


def _document(found: DocumentTrace) -> Iterator[str]:
    state = "denied: no search returns it" if found.denied else "gone" if found.stored_hash is None else "stored"
    yield f"document {found.source}/{found.uri}  {found.document_id}  ({state})"
    yield f"  the file now: {found.file.state}" + (f" ({found.file.note})" if found.file.note else "")
    for version in found.versions:
        yield from _indented(_version(version))
    for chunk in found.chunks:
        where = " > ".join(chunk["heading_path"])
        yield f"  chunk {chunk['chunk_id']}  {where}" if where else f"  chunk {chunk['chunk_id']}"
    for answer in found.answers:
        yield f"  answer {answer['answer_id']}  release {answer['release']}  {_short(answer['question'])}"
    if not found.answers:
        yield "  no recorded answer cites it"


def _training_file(found: TrainingFileTrace) -> Iterator[str]:
    if found.model_id:
        yield f"model {found.model_id}"
    counts = ", ".join(f"{count:,} {split}" for split, count in found.examples.items())
    yield f"training file {found.file_id}  ({counts})"
    yield f"  made {found.created_at or UNKNOWN}, run {found.run_id or UNKNOWN}"
    yield f"  from snapshot {found.snapshot_id or UNKNOWN}"
    for model in found.models:
        yield f"  tuned on it: {model}"
    for line in found.lines:
        moved = f", now {line.origin_now}" if line.origin_now not in (None, line.origin) else ""
        yield f"{line.split}.jsonl:{line.line}  {_short(line.prompt)}"
        yield f"  from {line.example_set}  {line.origin}{moved}  ({line.state})"
        for other in line.also:
            yield f"  asked too by {other['set']}  {other['origin']}"
        for chunk in line.chunks:
            if chunk["right"]:
                yield f"  stands on chunk {chunk['chunk_id']} of {chunk['source']}/{chunk['uri']}"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS]}…"
