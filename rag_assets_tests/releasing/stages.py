"""The stages of a project, called one after the other as the assets call them, without Dagster."""

from __future__ import annotations

from rag_assets.ingestion import sync_chunks, sync_embeddings, sync_raw_documents, sync_vector_index
from rag_assets.models.usage import UsageMeter
from rag_assets.project import Project
from rag_assets.releasing import (
    QUALITY,
    ReleaseContent,
    ReleaseResult,
    judge_embeddings,
    judge_index,
    make_release,
    subject_of_quality,
    take_snapshot,
)
from rag_assets_tests.conftest import SmallProject


def ingest(project: Project, *names: str) -> None:
    """Brings sources, by default all, up to their rows in the index."""
    generation, store, ledger = project.generation, project.store, project.ledger
    for name in names or project.source_names:
        chunks, vectors = store.chunks(name), store.embeddings(generation.space.name, generation.space.dimension)
        sync_raw_documents(
            name,
            project.settings.source(name),
            connector=project.connector(name),
            table=store.raw_documents(name),
            ledger=ledger,
        )
        meter = UsageMeter([])
        with project.embedder(meter) as embedder:
            cut = sync_chunks(
                name,
                raw_documents=store.raw_documents(name),
                chunks=chunks,
                generation=generation,
                tokenizer=embedder.tokenizer,
                max_input_tokens=embedder.max_input_tokens,
                ledger=ledger,
            )
            made = sync_embeddings(
                name,
                chunks=chunks,
                embeddings=vectors,
                embedder=embedder,
                meter=meter,
                ledger=ledger,
                spool_dir=project.spool_dir,
            )
        judge_embeddings(
            name,
            made.data_version,
            chunks=chunks,
            embeddings=vectors,
            dimension=generation.space.dimension,
            ledger=ledger,
        )
        sync_vector_index(name, chunks=chunks, embeddings=vectors, index=project.index)
        judge_index(name, cut.data_version, chunks=chunks, index=project.index, ledger=ledger)


def candidate(project: Project, *, good: bool = True) -> ReleaseContent:
    """Takes a snapshot and leaves a verdict on the quality of what it would answer."""
    result = take_snapshot(
        project.store,
        project.ledger,
        generation=project.generation,
        sources=project.source_names,
        retrieval=project.settings.retrieval,
    )
    snapshot = project.ledger.snapshot(result.snapshot_id)
    assert snapshot is not None
    content = project.content(snapshot)
    judge(project, content, good=good)
    return content


def judge(project: Project, content: ReleaseContent, *, good: bool = True) -> None:
    """Leaves a verdict on the quality of `content`, as compared with what serves now."""
    now = project.ledger.serving()
    said = {"reason": "fine" if good else "5 of 9 answers", "serving": now.release_id if now else None}
    project.ledger.record_verdict(QUALITY, quality(content), good, said)


def quality(content: ReleaseContent) -> str:
    """The subject of the quality verdict that `candidate` leaves."""
    return subject_of_quality(content.release_id, "questions", "rules")


def release(project: Project, content: ReleaseContent) -> ReleaseResult:
    """Releases a candidate."""
    return make_release(
        project.store,
        project.ledger,
        content,
        quality=quality(content),
        generation=project.generation,
        sources=project.source_names,
        served_by="a test",
    )


def refresh(small: SmallProject) -> str:
    """Everything from the files to what serves; returns the id of the release."""
    with small.open() as project:
        ingest(project)
        return release(project, candidate(project)).release.release_id


def serving(small: SmallProject) -> str | None:
    """The id of the serving release."""
    with small.open() as project:
        served = project.ledger.serving()
    return served.release_id if served else None


def found_texts(small: SmallProject, query: str, *groups: str) -> list[str]:
    """The passages that a search returns to a member of `groups`."""
    with small.open() as project:
        return [hit.text for hit in project.search(query, k=20, groups=groups)[1]]
