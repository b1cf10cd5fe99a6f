"""One evaluation and release once ingestion has settled, and none where there is nothing new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pyarrow as pa
import pytest

from rag_assets.assets.release_state import STATE_TAG, release_state
from rag_assets.automation import release_attempts
from rag_assets.automation.sensors import settled
from rag_assets.ingestion import watch as rules
from rag_assets.releasing.release import roll_back
from rag_assets_tests.automation.ticks import ingest_one, release_as_asked, release_by_hand, said, settle
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.runs import found_texts, serving

pytestmark = pytest.mark.slow

QUICK = "automation:\n  settle_seconds: 0\n"


@pytest.fixture
def project(small_project: SmallProject) -> SmallProject:
    small_project.configure(QUICK, handbook="", wiki="")
    small_project.write("handbook/a.md", "# A\n\nApples are red.\n")
    small_project.write("wiki/b.md", "# B\n\nPears are green.\n")
    return small_project


def test_nothing_is_released_before_something_is_indexed(project: SmallProject) -> None:
    assert said(settle(project)).startswith("No source is indexed yet")


def test_sources_that_changed_together_are_released_once(project: SmallProject) -> None:
    for name in ("handbook", "wiki"):
        assert ingest_one(project, name).succeeded
    assert release_as_asked(project).succeeded
    assert serving(project) is not None
    assert said(settle(project)).startswith("Nothing new to release since")
    ingest_one(project, "wiki")
    assert said(settle(project)).startswith("Nothing new to release since"), "an ingestion that changed nothing"


def test_new_rows_settings_prompts_and_questions_are_each_something_to_release(project: SmallProject) -> None:
    for name in ("handbook", "wiki"):
        ingest_one(project, name)
    states = {_state(project)}
    project.configure(QUICK + "retrieval:\n  k: 3\n", handbook="", wiki="")
    states.add(_state(project))
    project.configure(QUICK + "answering:\n  passages: 2\n", handbook="", wiki="")
    states.add(_state(project))
    project.configure(QUICK + "evaluation:\n  questions: [questions.jsonl]\n", handbook="", wiki="")
    states.add(_state(project))
    (project.root / "questions.jsonl").write_text("")
    states.add(_state(project))
    (project.root / "questions.jsonl").write_text("\n")
    states.add(_state(project))
    project.write("wiki/c.md", "# C\n\nPlums are blue.\n")
    ingest_one(project, "wiki")
    states.add(_state(project))
    assert len(states) == 7


def _state(project: SmallProject) -> str:
    requests = settle(project).run_requests
    assert requests
    return str(requests[0].tags["rag_assets/state"])


def test_a_source_that_fails_does_not_hold_the_others_back(project: SmallProject) -> None:
    project.configure(QUICK, handbook="token_budget: 1", wiki="")
    assert not ingest_one(project, "handbook").succeeded
    assert ingest_one(project, "wiki").succeeded
    assert release_as_asked(project).succeeded
    assert found_texts(project, "pears") != []


def test_a_release_that_a_gate_refused_waits_for_a_change(project: SmallProject) -> None:
    for name in ("handbook", "wiki"):
        ingest_one(project, name)
    release_as_asked(project)
    project.write("wiki/c.md", "# C\n\nPlums are blue.\n")
    ingest_one(project, "wiki")
    with project.open() as opened:  # a planted fault: a row twice, under another key
        table = opened.index
        row = table.rows().slice(0, 1).to_pylist()[0] | {"chunk_id": "planted"}
        table.apply(pa.Table.from_pylist([row], schema=table.schema), [])
    before = serving(project)
    assert not release_as_asked(project).succeeded
    assert said(settle(project)).startswith("Refused at")
    assert serving(project) == before
    project.configure(QUICK + "retrieval:\n  k: 3\n", handbook="", wiki="")
    assert settle(project).run_requests


def test_it_waits_until_ingestion_has_settled_and_can_be_turned_off(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.configure("automation:\n  settle_seconds: 600", handbook="", wiki="")
    ingest_one(project, "wiki")
    assert "settled in" in said(settle(project))
    monkeypatch.setattr(settled, "LONGEST_WAIT_SECONDS", 30.0)
    project.configure("automation:\n  settle_seconds: 3", handbook="", wiki="")
    assert settle(project).run_requests
    project.configure("automation:\n  release_when_settled: false", handbook="", wiki="")
    assert said(settle(project)).startswith("Off:")


APPLES, BANANAS = "# A\n\nApples are red.\n", "# A\n\nBananas are long.\n"


def save_and_ingest(project: SmallProject, text: str) -> None:
    project.write("handbook/a.md", text)
    assert ingest_one(project, "handbook").succeeded


def test_a_state_is_released_again_after_another_one_was_released_by_hand(project: SmallProject) -> None:
    save_and_ingest(project, APPLES)
    assert release_as_asked(project).succeeded
    save_and_ingest(project, BANANAS)
    assert release_by_hand(project).succeeded
    assert said(settle(project)).startswith("Nothing new to release since"), "whoever released it"
    save_and_ingest(project, APPLES)
    assert release_as_asked(project).succeeded
    assert "Apples" in found_texts(project, "apples")[0]
    assert said(settle(project)).startswith("Nothing new to release since")


def test_a_rollback_by_a_person_is_not_undone(project: SmallProject) -> None:
    for text in (APPLES, BANANAS):
        save_and_ingest(project, text)
        assert release_as_asked(project).succeeded
    with project.open() as opened:
        roll_back(opened.store, opened.ledger, sources=opened.source_names, to=None, by="a person", reason="test")
    before = serving(project)
    assert said(settle(project)).startswith("Nothing new to release since")
    ingest_one(project, "handbook")
    assert said(settle(project)).startswith("Nothing new to release since")
    assert serving(project) == before


def end_release(project: SmallProject, status: dg.DagsterRunStatus) -> None:
    """A run for the present state that ends like that before its first step."""
    from rag_assets.definitions import defs

    with project.open() as opened:
        tags = {STATE_TAG: release_state(opened).name}
    run = project.instance.create_run_for_job(defs.resolve_job_def("release_index"), tags=tags)
    if status == dg.DagsterRunStatus.CANCELED:
        project.instance.report_run_canceling(run)
        project.instance.report_run_canceled(run)
    else:
        project.instance.report_run_failed(run, "The provider is away.")


def test_a_release_that_fails_is_tried_again_for_as_long_as_it_fails_and_a_success_by_hand_clears_it(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_and_ingest(project, APPLES)
    for _ in range(7):
        end_release(project, dg.DagsterRunStatus.FAILURE)
    reason = said(settle(project))
    assert reason.startswith("Failed 7 times in a row since ")
    assert "The provider is away." in reason
    with project.open() as opened:
        found = release_attempts.attempts(opened, project.instance, release_state(opened))
    assert found.again_at is not None
    assert found.again_at - datetime.now(UTC) <= timedelta(seconds=300)
    monkeypatch.setattr(rules, "LONGEST_BACKOFF_SECONDS", 0.0)
    assert settle(project).run_requests
    assert release_by_hand(project).succeeded
    assert said(settle(project)).startswith("Nothing new to release since")


def test_a_release_that_is_cancelled_is_tried_again_until_it_was_cancelled_five_times(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "LONGEST_BACKOFF_SECONDS", 0.0)
    save_and_ingest(project, APPLES)
    for _ in range(5):
        assert settle(project).run_requests
        end_release(project, dg.DagsterRunStatus.CANCELED)
    assert said(settle(project)).startswith("Cancelled 5 times in a row")
