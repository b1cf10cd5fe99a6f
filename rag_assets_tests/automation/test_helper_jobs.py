"""Starting anew needs a typed confirmation; everything is there again after it."""

from __future__ import annotations

import dagster as dg
import pytest

from rag_assets.automation.helper_jobs import CONFIRMATION
from rag_assets.automation.runs import QUIET
from rag_assets_tests.automation.ticks import Watcher
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import found_texts, ingest, serving


def reset(project: SmallProject, confirmation: str) -> bool:
    from rag_assets.definitions import defs

    config = {"ops": {"delete_tables_and_ledger": {"config": {"confirmation": confirmation}}}}
    result = defs.resolve_job_def("reset_everything").execute_in_process(
        instance=project.instance, run_config={**QUIET, **config}, raise_on_error=False
    )
    return result.success


@pytest.mark.slow
def test_a_reset_deletes_nothing_unless_the_confirmation_is_typed(small_project: SmallProject) -> None:
    small_project.configure(wiki="")
    small_project.write("wiki/a.md", "# A\n\nApples are red.\n")
    ingest(small_project)
    before = serving(small_project)
    for typed in ("", "yes", "delete everything!"):
        assert not reset(small_project, typed)
    assert serving(small_project) == before
    assert found_texts(small_project, "apples") != []

    assert reset(small_project, CONFIRMATION)
    assert serving(small_project) is None
    with small_project.open() as opened:
        assert opened.store.table_names() == []
    assert (small_project.root / "wiki/a.md").exists()
    assert Watcher(small_project).launched() == ["wiki"], "the watch begins anew"
    assert ingest(small_project).release is not None
    assert found_texts(small_project, "apples") != []


def test_a_reset_refuses_while_another_run_is_under_way(small_project: SmallProject) -> None:
    from rag_assets.definitions import defs

    small_project.configure(wiki="")
    small_project.write("wiki/a.md", "# A\n\nApples are red.\n")
    ingest(small_project)
    job = defs.resolve_job_def("refresh_all")
    small_project.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert not reset(small_project, CONFIRMATION)
    assert serving(small_project) is not None
