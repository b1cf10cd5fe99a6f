"""Processes that tune are killed at every place between two writes that belong together: one job is paid for, ever."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from rag_assets.ledger.tuning_jobs import SUCCEEDED
from rag_assets.tuning.jobs import submit, wish_of
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.fine_tuning_server import FineTuningServer, fine_tuning_server
from rag_assets_tests.tuning.drills import configure, opened, passed_file
from rag_assets_tests.tuning.tune_once import tune_once

__all__ = ["fine_tuning_server"]

PLACES = (
    "tuning.between_intent_and_call",
    "tuning.between_reservation_and_upload",
    "tuning.between_files",
    "tuning.between_upload_and_ledger",
    "tuning.between_upload_and_create",
    "tuning.between_create_and_ledger",
    "tuning.while_polling",
    "tuning.while_polling@3",
    "tuning.between_end_and_settled",
    "tuning.between_settled_and_registered",
    "tuning.between_registered_and_collected",
)
BY_FILE_ALONE = ("tuning.between_upload_and_create", "tuning.between_create_and_ledger")
"""Where it matters that a server forgets the metadata of jobs."""
FAST = ("tuning.between_create_and_ledger", True)
CASES = [(place, False) for place in PLACES] + [(place, True) for place in BY_FILE_ALONE]


@pytest.mark.parametrize(
    ("place", "drops_metadata"),
    [pytest.param(*case, marks=[] if case == FAST else pytest.mark.slow) for case in CASES],
)
def test_two_kills_at_a_place_and_a_run_to_the_end(
    small_project: SmallProject, fine_tuning_server: FineTuningServer, place: str, drops_metadata: bool
) -> None:
    server = fine_tuning_server
    server.polls, server.drops_metadata = 4, drops_metadata
    configure(small_project, server, timeout_seconds=2)
    with small_project.open() as project:
        file = passed_file(project)
        project.ledger.record_stage_run("training_file", "", file.file_id, run_id=None)
    first = tune_once(small_project.config_file, place)
    assert first.returncode == -signal.SIGKILL, first.stderr
    with small_project.open() as project:
        assert len(server.jobs) <= len(project.ledger.tuning_jobs()) == 1, "the intent is on record before the call"
    # Where the second process does not come by the same place any more, it runs to the end.
    second = tune_once(small_project.config_file, place)
    assert second.returncode in (0, -signal.SIGKILL), second.stderr
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
