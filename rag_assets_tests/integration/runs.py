"""Runs of the real jobs in this process."""

from __future__ import annotations

from rag_assets.assets import sync_partitions
from rag_assets.automation.runs import Jobs, RefreshOutcome, refresh
from rag_assets_tests.conftest import SmallProject


def ingest(project: SmallProject, *names: str, release: bool = True) -> RefreshOutcome:
    """What `rag-assets ingest` does, on the test's instance."""
    from rag_assets.definitions import defs

    jobs = Jobs(
        ingest_source=defs.resolve_job_def("ingest_source"), release_index=defs.resolve_job_def("release_index")
    )
    with project.open() as opened:
        sync_partitions(project.instance, opened)
        wanted = names or opened.source_names
    return refresh(project.instance, jobs, wanted, release=release)


def serving(project: SmallProject) -> str | None:
    """The id of the serving release."""
    with project.open() as opened:
        release = opened.ledger.serving()
    return release.release_id if release else None


def found_texts(project: SmallProject, query: str) -> list[str]:
    """The passages that a search returns."""
    with project.open() as opened:
        return [hit.text for hit in opened.search(query, k=20)[1]]
