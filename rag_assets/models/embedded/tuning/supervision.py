"""Sees to it that a job which should be trained has a process that trains it, and never two.

The process (`worker.py`) is no child to wait for: it has a session of its own, shares no pipe and no lock with whoever
started it, and goes on when that ends. It holds the job's lock while it works, which the system lets go of however it
ends. So whoever asks for a job, in any process, can tell whether somebody works on it, and start the work again where
nobody does. A job whose process ends again and again without getting further fails.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from rag_assets.models.embedded.tuning.database import Database, StateError
from rag_assets.models.embedded.tuning.records import ACTIVE, add_event, fail, job_row

MOST_STARTS = 4
"""Starts of a process without a further step, after which the job fails."""
ARRIVAL_SECONDS = 60.0
"""How long a process may take from its start until it has its job's lock, before another one is started."""
_ROOT = str(Path(__file__).resolve().parents[4])
_SAID_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class JobFolder:
    """Where the files of one job are."""

    state_dir: Path
    job_id: str

    @property
    def path(self) -> Path:
        return self.state_dir / "jobs" / self.job_id

    @property
    def training_file(self) -> Path:
        return self.path / "training.jsonl"

    @property
    def validation_file(self) -> Path:
        return self.path / "validation.jsonl"

    @property
    def checkpoint(self) -> Path:
        """The trainer's own, from which a process goes on where another ended."""
        return self.path / "checkpoint.npz"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def log(self) -> Path:
        """What the processes that train said, above all how they failed."""
        return self.path / "training.log"


def attend(database: Database, job_id: str) -> None:
    """Starts the training of a job that should be trained and that no process has. Raises `WireError`, `StateError`."""
    with database.reading() as connection:
        job = job_row(connection, job_id)
    if (
        job["status"] not in ACTIVE
        or not _is_overdue(job["spawned_at"])
        or _is_held(JobFolder(database.folder, job_id))
    ):
        return
    with database.writing() as connection:
        # Of all that came so far only the first changes `spawns`.
        claimed = connection.execute(
            "UPDATE jobs SET spawns = spawns + 1, spawned_at = ? WHERE id = ? AND spawns = ? AND status = ?",
            [time.time(), job_id, job["spawns"], job["status"]],
        ).rowcount
        if claimed and job["spawns"] - job["spawns_at_progress"] >= MOST_STARTS:
            fail(connection, job_id, "server_error", _reason(JobFolder(database.folder, job_id)), None)
            return
        if claimed and job["spawns"]:
            text = "The training process ended before its time; the training goes on from the last checkpoint"
            add_event(connection, job_id, f"restarted {job['spawns']}", text, level="warn")
    if claimed:
        _spawn(JobFolder(database.folder, job_id))


def _is_overdue(spawned_at: float | None) -> bool:
    """Whether a process that was started and has not taken the job yet will not come any more."""
    return spawned_at is None or not 0 <= time.time() - spawned_at < ARRIVAL_SECONDS


def _is_held(folder: JobFolder) -> bool:
    """Whether a process works on the job. The one that does waits, when it comes, for this look to be over."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError as error:
        raise StateError(f"{folder.lock} cannot be used: {error.strerror}.", fix="Check its permissions.") from error
    lock.release()
    return False


def _spawn(folder: JobFolder) -> None:
    """Starts the process that trains. Where that fails, whoever asks for the job later tries again."""
    paths = [_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
    with contextlib.suppress(OSError), folder.log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # this very program
            # -P: the working directory may hold a module of the same name as one that is imported.
            [sys.executable, "-P", "-m", f"{__package__}.worker", str(folder.state_dir), folder.job_id],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        # While this process lasts, it must ask for the exit code of the other, which would stay as a zombie.
        threading.Thread(target=process.wait, name=f"wait-{folder.job_id}", daemon=True).start()


def _reason(folder: JobFolder) -> str:
    with contextlib.suppress(OSError):
        said = folder.log.read_text("utf-8", "replace").strip()
        if said:
            last = said.splitlines()[-1][:_SAID_CHARACTERS].rstrip(".")
            return f"The training process ended {MOST_STARTS} times without a further step. It said last: {last}."
    return f"The training process ended {MOST_STARTS} times without a further step, and said nothing: was it killed?"
