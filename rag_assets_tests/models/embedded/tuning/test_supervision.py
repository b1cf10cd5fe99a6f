"""Who trains a job, whatever happens to the processes that ask for it and to the one that trains it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import openai
import pytest
from filelock import FileLock
from openai.types.fine_tuning import FineTuningJob

from rag_assets.failpoints import VARIABLE
from rag_assets.models.embedded.tuning.database import Database
from rag_assets.models.embedded.tuning.records import ACTIVE
from rag_assets.models.embedded.tuning.supervision import MOST_STARTS
from rag_assets_tests.models.embedded.tuning.material import WAIT_SECONDS, finished, learnt, start, takers, upload
from rag_assets_tests.models.embedded.wire_client import connect

LONG: dict[str, Any] = {"hyperparameters": {"n_epochs": 4, "batch_size": 1}, "seed": 3}
"""48 steps; the trainer has checkpoints at 20 and 40."""
PLACES = ("locked", "validated", "step@1", "checkpoint@2", "model", "results", "succeeded")
CREATE = """
import sys
from pathlib import Path
from filelock import FileLock
from rag_assets_tests.models.embedded.tuning.material import start
from rag_assets_tests.models.embedded.wire_client import connect

lock = FileLock(sys.argv[2]).acquire()
with connect(state_dir=Path(sys.argv[1])) as client:
    print(start(client, hyperparameters={"n_epochs": 1}).id)
"""


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(process_id: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process_id, 0)
        return True
    return False


def kill(process_id: int) -> None:
    os.kill(process_id, signal.SIGKILL)
    wait_until(lambda: not is_alive(process_id))


def ask_from_everywhere(state_dir: Path, job_id: str) -> None:
    """Six clients ask for the job at once."""

    def ask(_: int) -> None:
        with connect(state_dir=state_dir) as client:
            client.fine_tuning.jobs.retrieve(job_id)
            client.fine_tuning.jobs.list()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(ask, range(6)))


def in_row(state_dir: Path, job_id: str, column: str) -> Any:
    """What the database has of a job, without asking for the job, which would see to its training."""
    with Database(state_dir).reading() as connection:
        return connection.execute(f"SELECT {column} FROM jobs WHERE id = ?", [job_id]).fetchone()[0]


def ended(state_dir: Path, job_id: str) -> bool:
    return in_row(state_dir, job_id, "status") not in ACTIVE


def spawns(state_dir: Path, job_id: str) -> int:
    return int(in_row(state_dir, job_id, "spawns"))


def told(client: openai.OpenAI, job_id: str) -> list[tuple[str, object]]:
    """What the events say, oldest first, but for names of files and models and for restarts."""
    events = list(client.fine_tuning.jobs.list_events(job_id, limit=100))[::-1]
    return [(event.message.partition(": f")[0], event.data) for event in events if event.level == "info"]


def killed_at(place: str, client: openai.OpenAI, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> FineTuningJob:
    """A job whose first process was killed at a place, and that was asked for until its end."""
    monkeypatch.setenv(VARIABLE, f"tuning.{place}")
    job = start(client, **LONG)
    wait_until(lambda: takers(state_dir, job.id))
    wait_until(lambda: not is_alive(takers(state_dir, job.id)[0]))
    monkeypatch.delenv(VARIABLE)
    return finished(state_dir, job.id)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FineTuningJob]:
    """A job like those that are killed, left in peace."""
    state_dir = tmp_path_factory.mktemp("unbroken") / "embedded"
    with connect(state_dir=state_dir) as client:
        return state_dir, finished(state_dir, start(client, **LONG).id)


@pytest.mark.parametrize("place", [pytest.param(each, marks=[pytest.mark.slow]) for each in PLACES] + ["step@30"])
def test_a_job_whose_process_is_killed_ends_with_the_same_model(place, unbroken, client, state_dir, monkeypatch):
    job = killed_at(place, client, state_dir, monkeypatch)
    there, expected = unbroken
    assert (job.status, job.trained_tokens) == ("succeeded", expected.trained_tokens)
    assert learnt(state_dir, job) == learnt(there, expected)
    assert len(takers(state_dir, job.id)) == (1 if place == "succeeded" else 2)
    with connect(state_dir=there) as other:
        assert told(client, job.id) == told(other, expected.id)
        kept = [client.fine_tuning.jobs.checkpoints.list(job.id), other.fine_tuning.jobs.checkpoints.list(expected.id)]
    assert [one.metrics for one in kept[0]] == [one.metrics for one in kept[1]]
    restarts = [event.level for event in client.fine_tuning.jobs.list_events(job.id, limit=100)].count("warn")
    assert restarts == len(takers(state_dir, job.id)) - 1


@pytest.mark.slow
def test_the_order_of_the_examples_changes_nothing(unbroken, client, state_dir):
    there, expected = unbroken
    files = [(there / "files" / file_id).read_bytes() for file_id in (expected.training_file, expected.validation_file)]
    shuffled = [upload(client, b"".join(content.splitlines(keepends=True)[::-1])) for content in files]
    again = client.fine_tuning.jobs.create(
        model="extractive-reader", training_file=shuffled[0], validation_file=shuffled[1], **LONG
    )
    assert learnt(state_dir, finished(state_dir, again.id)) == learnt(there, expected)


@pytest.mark.slow
def test_a_job_that_is_killed_whenever_it_gets_further_ends_with_the_same_model(unbroken, client, state_dir):
    job = start(client, **LONG)
    kills = reached = 0

    def got_further() -> bool:
        return in_row(state_dir, job.id, "reached_step") > reached or ended(state_dir, job.id)

    while client.fine_tuning.jobs.retrieve(job.id).status in ACTIVE and kills < 6:
        reached = in_row(state_dir, job.id, "reached_step")
        wait_until(got_further)
        with suppress(ProcessLookupError):
            kill(takers(state_dir, job.id)[-1])
            kills += 1
    assert kills > 1
    assert learnt(state_dir, finished(state_dir, job.id)) == learnt(*unbroken)


def test_one_process_trains_a_job_however_many_ask(client, state_dir):
    with FileLock(state_dir / "training.lock"):  # another job has its turn
        job = start(client, hyperparameters={"n_epochs": 1})
        ask_from_everywhere(state_dir, job.id)
        wait_until(lambda: client.fine_tuning.jobs.retrieve(job.id).status == "queued")
        assert (len(takers(state_dir, job.id)), spawns(state_dir, job.id)) == (1, 1)
        kill(takers(state_dir, job.id)[0])
        ask_from_everywhere(state_dir, job.id)
        wait_until(lambda: len(takers(state_dir, job.id)) == 2)
        ask_from_everywhere(state_dir, job.id)
    assert finished(state_dir, job.id).status == "succeeded"
    assert (len(takers(state_dir, job.id)), spawns(state_dir, job.id)) == (2, 2)


@pytest.mark.slow
def test_the_training_has_nothing_of_the_process_that_started_it(client, state_dir, tmp_path):
    own = tmp_path / "own.lock"
    client.files.create(file=("a.jsonl", b"{}"), purpose="fine-tune")
    with FileLock(state_dir / "training.lock"):
        # The pipe of its output would not end before the training does, had the training inherited it.
        started = subprocess.run(
            [sys.executable, "-c", CREATE, str(state_dir), str(own)], capture_output=True, text=True, timeout=60
        )
        assert (started.returncode, started.stderr) == (0, "")
        job_id = started.stdout.strip()
        with FileLock(own, timeout=0):
            wait_until(lambda: takers(state_dir, job_id))
        assert os.getsid(takers(state_dir, job_id)[0]) != os.getsid(0)
    assert finished(state_dir, job_id).status == "succeeded"
    assert len(takers(state_dir, job_id)) == 1


def test_a_job_that_waits_for_its_turn_is_cancelled_at_once(client, state_dir):
    with FileLock(state_dir / "training.lock"):
        job = start(client)
        wait_until(lambda: client.fine_tuning.jobs.retrieve(job.id).status == "queued")
        cancelled = client.fine_tuning.jobs.cancel(job.id)
        assert (cancelled.status, cancelled.fine_tuned_model) == ("cancelled", None)
        assert cancelled.finished_at is not None
        wait_until(lambda: not is_alive(takers(state_dir, job.id)[0]))
    with pytest.raises(openai.BadRequestError, match="already ended: it is cancelled"):
        client.fine_tuning.jobs.cancel(job.id)
    assert [event.message for event in client.fine_tuning.jobs.list_events(job.id, limit=1).data] == [
        "The job was cancelled"
    ]
    assert {file.name for file in (state_dir / "jobs" / job.id).iterdir()} == {"lock", "training.log"}


@pytest.mark.slow
def test_a_job_that_is_trained_is_cancelled_between_two_steps(client, state_dir):
    job = start(client, validation=False, hyperparameters={"n_epochs": 100, "batch_size": 1})
    wait_until(lambda: client.fine_tuning.jobs.retrieve(job.id).estimated_finish)
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    wait_until(lambda: not is_alive(takers(state_dir, job.id)[0]))
    job = client.fine_tuning.jobs.retrieve(job.id)
    assert (job.status, job.fine_tuned_model, job.result_files, job.estimated_finish) == ("cancelled", None, [], None)
    steps = [event for event in client.fine_tuning.jobs.list_events(job.id, limit=100) if event.type == "metrics"]
    assert len(steps) < 1_200
    assert not [model.id for model in client.models.list() if model.id.startswith("ft:") and "ckpt" not in model.id]


@pytest.mark.slow
def test_a_process_that_ends_again_and_again_fails_its_job(client, state_dir, monkeypatch):
    monkeypatch.setenv(VARIABLE, "tuning.validated")
    job = finished(state_dir, start(client).id)
    assert (job.status, job.fine_tuned_model) == ("failed", None)
    assert job.error is not None and job.error.code == "server_error"
    assert "without a further step, and said nothing: was it killed?" in job.error.message
    assert len(takers(state_dir, job.id)) == MOST_STARTS


@pytest.mark.slow
def test_what_a_process_said_before_it_ended_is_the_reason(client, state_dir):
    with FileLock(state_dir / "training.lock"):
        job = start(client)
        wait_until(lambda: client.fine_tuning.jobs.retrieve(job.id).status == "queued")
        kill(takers(state_dir, job.id)[0])
        copy = state_dir / "jobs" / job.id / "training.jsonl"
        copy.unlink()
        copy.mkdir()
        job = finished(state_dir, job.id)
    assert job.error is not None and "It said last: IsADirectoryError" in job.error.message


@pytest.mark.slow
def test_processes_that_begin_at_once_in_a_new_folder_each_have_their_job(state_dir, tmp_path):
    state_dir.mkdir()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CREATE, str(state_dir), str(tmp_path / f"{number}.lock")],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    ids = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert len(set(ids)) == 4
    for job_id in ids:
        assert finished(state_dir, job_id).status == "succeeded"
        assert len(takers(state_dir, job_id)) == 1
    with connect(state_dir=state_dir) as client:
        assert {job.id for job in client.fine_tuning.jobs.list()} == set(ids)


def test_a_folder_that_is_deleted_stays_so(client, state_dir):
    with FileLock(state_dir / "training.lock"):
        job = start(client)
        wait_until(lambda: client.fine_tuning.jobs.retrieve(job.id).status == "queued")
        state_dir.rename(state_dir.with_name("away"))
        wait_until(lambda: not is_alive(takers(state_dir.with_name("away"), job.id)[0]))
    assert not state_dir.exists()
    assert list(client.fine_tuning.jobs.list()) == []
    assert not state_dir.exists()


def test_threads_that_begin_at_once_share_one_database(state_dir):
    def add(number: int) -> None:
        with connect(state_dir=state_dir) as client:
            client.files.create(file=(f"{number}.jsonl", b"{}"), purpose="fine-tune")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    with connect(state_dir=state_dir) as client:
        assert {file.filename for file in client.files.list()} == {f"{number}.jsonl" for number in range(24)}
