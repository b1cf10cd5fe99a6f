"""The embedded trainer, killed while it trains: the same job goes on to its model, asked about as any provider is."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from rag_assets.ledger.tuning_jobs import SUCCEEDED
from rag_assets.tuning import jobs
from rag_assets.tuning.collecting import collect
from rag_assets.tuning.jobs import open_tuner, submit
from rag_assets.tuning.polling import wait_until_ended
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.models.embedded.tuning.material import messages, takers
from rag_assets_tests.tuning.files import write_clean, write_file

TRAINER_WAIT_SECONDS = 120.0


@pytest.mark.slow
def test_a_killed_trainer_is_no_second_job(small_project: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    # Prompts this much alike would not pass the gate of leakage, and are all that the trainer needs.
    monkeypatch.setattr(jobs, "require_training_file", lambda project, file: SimpleNamespace(cost_usd=0.0))
    small_project.configure("tuning: {epochs: 6, batch_size: 1, seed: 3}")
    with small_project.open() as project:
        lines = [json.dumps({"messages": messages(number)}) for number in range(40)]
        file = write_file(project, lines[:36], lines[36:])
        begun = submit(project, file)
        assert begun.job.job_id is not None
        state_dir = project.settings.models.all_providers()["embedded"].state_dir
        assert state_dir is not None
        until = time.monotonic() + TRAINER_WAIT_SECONDS
        while not takers(state_dir, begun.job.job_id):
            assert time.monotonic() < until
            time.sleep(0.02)
        os.kill(takers(state_dir, begun.job.job_id)[0], signal.SIGKILL)
        ended = wait_until_ended(project, begun.job.intent_id, pause_seconds=0.1)
        assert (ended.state, ended.error) == (SUCCEEDED, "")
        collected = collect(project, ended)
        assert submit(project, file).how == "reused"
        assert len(takers(state_dir, begun.job.job_id)) == 2
        with open_tuner(project, "embedded") as tuner:
            assert tuner.model_exists(collected.model.model_id)
        assert collected.curves.of("train_loss") and collected.curves.of("valid_loss")
        assert [(row.operation, row.cost_usd) for row in project.ledger.usage()] == [("fine_tuning", 0.0)]
    listed = [path.name for path in (state_dir / "jobs").iterdir()]
    assert listed == [begun.job.job_id]


def test_starts_at_once_are_one_job(small_project: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "require_training_file", lambda project, file: SimpleNamespace(cost_usd=0.0))

    def start(_: int) -> str:
        with small_project.open() as project:
            return submit(project, file).job.intent_id

    with small_project.open() as project, ThreadPoolExecutor(4) as threads:
        file = write_clean(project)
        (intent_id,) = set(threads.map(start, range(4)))
        wait_until_ended(project, intent_id, pause_seconds=0.1)
        state_dir = project.settings.models.all_providers()["embedded"].state_dir
    assert state_dir is not None and len(list((state_dir / "jobs").iterdir())) == 1
