"""The upkeep: smaller tables, no harm to pins and readers, and old runs gone but the newest of each asset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rag_assets.assets.run_retention import delete_old_runs
from rag_assets.automation.runs import run_job
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import found_texts, ingest, serving


@pytest.mark.slow
def test_the_upkeep_compacts_and_what_serves_and_who_reads_are_not_disturbed(small_project: SmallProject) -> None:
    from rag_assets.definitions import defs

    small_project.configure(wiki="")
    for number in range(4):
        small_project.write(f"wiki/{number}.md", f"# Part {number}\n\nApples number {number} are red.\n")
        ingest(small_project)
    release = serving(small_project)
    with small_project.open() as opened:
        first = opened.ledger.releases()[-1]
        old = opened.release(first.release_id)
        with opened.retriever(old) as retriever:
            before = [hit.text for hit in retriever.retrieve("apples", k=20)]
            outcome = run_job(small_project.instance, defs.resolve_job_def("maintenance"), "maintenance")
            assert outcome.succeeded, outcome.error
            assert [hit.text for hit in retriever.retrieve("apples", k=20)] == before
        with opened.retriever(old) as retriever:
            assert [hit.text for hit in retriever.retrieve("apples", k=20)] == before
    made = outcome.materialized["maintenance"]
    assert made["fragments"] < made["fragments_before"]
    assert made["rows_unindexed"] == 0
    assert made["tables"] >= 4
    assert made["disk_bytes"] >= made["data_bytes"] > 0
    assert made["runs_deleted"] == 0
    assert serving(small_project) == release
    assert len(found_texts(small_project, "apples")) == 4
    assert all(run.succeeded for run in ingest(small_project).runs)


@pytest.mark.slow
def test_old_runs_go_but_not_the_newest_of_an_asset_and_source(small_project: SmallProject) -> None:
    small_project.configure(handbook="", wiki="")
    small_project.write("wiki/a.md", "# A\n\nApples.\n")
    small_project.write("handbook/b.md", "# B\n\nPears.\n")
    first = ingest(small_project)
    second = ingest(small_project, "wiki", release=False)
    assert delete_old_runs(small_project.instance, datetime.now(UTC) - timedelta(days=90)) == 0
    assert delete_old_runs(small_project.instance, datetime.now(UTC) + timedelta(days=1)) == 1
    left = {run.run_id for run in small_project.instance.get_runs()}
    assert first.release is not None
    assert left == {first.sources["handbook"].run_id, first.release.run_id, second.sources["wiki"].run_id}
    assert delete_old_runs(small_project.instance, datetime.now(UTC) + timedelta(days=1)) == 0
