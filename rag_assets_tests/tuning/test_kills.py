"""Processes that tune are killed where a second job could be paid for.

Every place, through the command line and Dagster's runs: `integration/crash/test_tuning_kills.py`.
"""

from __future__ import annotations

import signal
import threading
import time

import pytest

from rag_assets.ledger.tuning_jobs import SUCCEEDED
from rag_assets.tuning.jobs import submit
from rag_assets.tuning.wishes import wish_of
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.fine_tuning_server import FineTuningServer, fine_tuning_server
from rag_assets_tests.tuning.drills import configure, opened, passed_file
from rag_assets_tests.tuning.tune_once import tune_once

__all__ = ["fine_tuning_server"]


@pytest.mark.parametrize(
    "place",
    [
        "tuning.between_create_and_ledger",
        pytest.param("tuning.between_upload_and_create", marks=pytest.mark.slow),
    ],
)
def test_a_killed_process_is_finished_by_the_next_one_at_a_server_that_forgets_metadata(
    small_project: SmallProject, fine_tuning_server: FineTuningServer, place: str
) -> None:
    server = fine_tuning_server
    server.polls, server.drops_metadata = 4, True
    configure(small_project, server, timeout_seconds=2)
    with small_project.open() as project:
        file = passed_file(project)
        project.ledger.record_stage_run("training_file", "", file.file_id, run_id=None)
    first = tune_once(small_project.config_file, place)
    assert first.returncode == -signal.SIGKILL, first.stderr
    with small_project.open() as project:
        assert len(server.jobs) <= len(project.ledger.tuning_jobs()) == 1, "the intent is on record before the call"
    last = tune_once(small_project.config_file)
    assert (last.returncode, last.stdout.strip()) == (0, "ft:gpt-4o-mini:org::ftjob-1"), last.stderr
    assert len(server.jobs) == 1
    assert len({file["filename"] for file in server.training_files()}) == 2
    with small_project.open() as project:
        [job] = project.ledger.tuning_jobs()
        assert (job.state, job.attempt) == (SUCCEEDED, 1) and job.collected_at is not None
        assert [model.model_id for model in project.ledger.tuned_models()] == [job.model_id]
        assert [row.operation for row in project.ledger.usage()] == ["fine_tuning"], "what was paid is recorded once"
        assert project.ledger.open_reservations() == []


def test_a_request_that_outlives_its_process_is_waited_for(
    small_project: SmallProject, fine_tuning_server: FineTuningServer
) -> None:
    """A process was killed while its request was under way, and the job comes into being after the next one looked."""
    import httpx2

    server = fine_tuning_server
    configure(small_project, server, timeout_seconds=10)
    with opened(small_project) as (project, file):
        job = project.ledger.begin_tuning(wish_of(project, file, estimated_cost_usd=0.01))
        assert project.ledger.claim_tuning_call(job.intent_id, None)
        server.files["file-late"] = {"id": "file-late", "purpose": "fine-tune", "filename": "late", "bytes": 1}
        body = {
            "model": "gpt-4o-mini",
            "training_file": "file-late",
            "metadata": {"rag_assets_intent": job.intent_id},
        }

        def arrive_late() -> None:
            while not server.calls["list_jobs"]:
                time.sleep(0.01)
            time.sleep(0.1)
            httpx2.post(f"{server.base_url}/fine_tuning/jobs", json=body)

        late = threading.Thread(target=arrive_late)
        late.start()
        begun = submit(project, file)
        late.join()
        assert (begun.how, begun.job.job_id) == ("found", "ftjob-1")
    assert server.calls["list_jobs"] > 1
    assert len(server.jobs) == server.calls["create"] == 1
