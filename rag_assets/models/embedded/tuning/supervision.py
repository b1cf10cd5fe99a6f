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
"""How long a process may take from its start until it has its job's lock, before another one is started. Whoever
started it sees sooner if it ended before."""
TAKEN = "taken by process"
"""What a process writes into the log when it has the job's lock, before its id."""
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
        """Which processes trained, and what they said, above all how they failed."""
        return self.path / "training.log"

    def clear(self) -> None:
        """Deletes what only the training needs: an upload that is deleted shall not live on here."""
        for file in (self.training_file, self.validation_file, self.checkpoint):
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)


def attend(database: Database, job_id: str) -> None:
    """Starts the training of a job that should be trained and that no process has. Raises `WireError`, `StateError`."""
    folder = JobFolder(database.folder, job_id)
    with database.reading() as connection:
        job = job_row(connection, job_id)
    if job["status"] not in ACTIVE or not _is_overdue(job["spawned_at"]) or _is_held(folder):
        return
    now = time.time()
    with database.writing() as connection:
        # Of all that came so far only the first changes `spawns`.
        claimed = connection.execute(
            "UPDATE jobs SET spawns = spawns + 1, spawned_at = ? WHERE id = ? AND spawns = ? AND status = ?",
            [now, job_id, job["spawns"], job["status"]],
        ).rowcount
        if claimed and job["spawns"] - job["spawns_at_progress"] >= MOST_STARTS:
            fail(connection, job_id, "server_error", _reason(folder), None)
            folder.clear()
            return
        if claimed and job["spawns"]:
            text = "The training process ended before its time; the training goes on from the last checkpoint"
            add_event(connection, job_id, f"restarted {job['spawns']}", text, level="warn")
    if claimed:
        _spawn(database, folder, now)


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


def _spawn(database: Database, folder: JobFolder, spawned_at: float) -> None:
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
        arguments = (process, database, folder.job_id, spawned_at)
        threading.Thread(target=_wait, args=arguments, name=f"wait-{folder.job_id}", daemon=True).start()


def _wait(process: subprocess.Popen[bytes], database: Database, job_id: str, spawned_at: float) -> None:
    """Waits for the end of a process; one that never took its job need not be waited for by others."""
    process.wait()
    with contextlib.suppress(StateError):
        if database.exists:
            with database.writing() as connection:
                connection.execute(
                    "UPDATE jobs SET spawned_at = NULL WHERE id = ? AND spawned_at = ?", [job_id, spawned_at]
                )


def _reason(folder: JobFolder) -> str:
    """Why a job failed whose process ended too often: what the process said at the end."""
    said: list[str] = []
    with contextlib.suppress(OSError):
        said = folder.log.read_text("utf-8", "replace").strip().splitlines()
    ended = f"The training process ended {MOST_STARTS} times without a further step"
    if not said or said[-1].startswith(TAKEN):
        return f"{ended}, and said nothing: was it killed?"
    return f"{ended}. It said last: {said[-1][:_SAID_CHARACTERS].rstrip('.')}."
