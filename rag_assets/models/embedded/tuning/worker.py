"""The process that trains one job: `python -m rag_assets.models.embedded.tuning.worker STATE_DIR JOB_ID`.

It may be killed at any point. What it leaves is a status, events and checkpoints that are true as far as they go; the
next one reads the same files, goes on from the trainer's checkpoint and ends with the same model to the bit.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from rag_assets.config import EMBEDDED_CHAT_MODEL
from rag_assets.errors import InvalidRequestError, RagAssetsError
from rag_assets.failpoints import failpoint
from rag_assets.models.embedded.encoder import get_encoder
from rag_assets.models.embedded.reader.scoring import ScoringModel, shipped_model
from rag_assets.models.embedded.reader.tuning import Step, Tuned, TunedReader, TuningExample, tune
from rag_assets.models.embedded.tuning.checkpoints import Checkpoints
from rag_assets.models.embedded.tuning.database import Database, StateError
from rag_assets.models.embedded.tuning.examples import UnfitFileError, read_training_file, read_validation_file
from rag_assets.models.embedded.tuning.files import RESULTS, insert_file, write_content
from rag_assets.models.embedded.tuning.ids import now, tuned_model_id
from rag_assets.models.embedded.tuning.models import insert_model, keep_reader, tuned_reader
from rag_assets.models.embedded.tuning.records import ACTIVE, add_event, fail, is_active, job_row, move
from rag_assets.models.embedded.tuning.results import FILENAME, results_content
from rag_assets.models.embedded.tuning.supervision import TAKEN, JobFolder

LOCK_SECONDS = 5.0
"""A look at the lock is over in a moment; a process that trains the job is not, and then this one is not needed."""
TURN_SECONDS = 0.2


def main(state_dir: str, job_id: str) -> None:
    """Trains the job, unless another process does."""
    database = Database(Path(state_dir), must_exist=True)
    folder = JobFolder(database.folder, job_id)
    try:
        with FileLock(folder.lock, timeout=LOCK_SECONDS), database.held_open():
            sys.stdout.write(f"{TAKEN} {os.getpid()} at {datetime.now(UTC).isoformat()}\n")
            sys.stdout.flush()
            failpoint("tuning.locked")
            with database.writing() as connection:
                connection.execute("UPDATE jobs SET spawned_at = NULL WHERE id = ?", [job_id])
                job = job_row(connection, job_id)
            if job["status"] in ACTIVE:
                _Training(database, job).run()
            folder.clear()
    except Timeout:
        return


@dataclass
class _Training:
    """One job, from its files to its model. For the process that holds the job's lock."""

    database: Database
    job: sqlite3.Row
    total_steps: int = 0
    started: float = field(default_factory=time.monotonic)
    first_step: int | None = None

    @property
    def id(self) -> str:
        return str(self.job["id"])

    @property
    def model(self) -> str:
        return tuned_model_id(self.job["suffix"], self.job["letters"])

    @property
    def folder(self) -> JobFolder:
        return JobFolder(self.database.folder, self.id)

    def run(self) -> None:
        """Ends with the job's end, be it a model or a reason why there is none, or with its cancellation.

        Raises only what another try may mend: a full disk, or a mistake in this program.
        """
        try:
            train, validation = self._examples()
            self._validated()
            with self._turn() as mine:
                if mine:
                    self._finish(self._tune(train, validation))
        except UnfitFileError as error:
            self._fail(error.code, error.message, error.param)
        except StateError:
            raise
        except InvalidRequestError as error:
            self._fail("invalid_training_file", str(error), "training_file")
        except RagAssetsError as error:
            self._fail("server_error", str(error), None)

    def _examples(self) -> tuple[list[TuningExample], list[TuningExample]]:
        train = read_training_file(self.folder.training_file)
        return train, read_validation_file(self.folder.validation_file) if self.job["validation_file"] else []

    def _validated(self) -> None:
        with self.database.writing() as connection:
            if move(connection, self.id, "queued", among=("validating_files",)):
                add_event(connection, self.id, "queued", "Files validated, moving job to queued state")
        failpoint("tuning.validated")

    @contextmanager
    def _turn(self) -> Iterator[bool]:
        """Waits until no other job of this folder is trained; gives False where this one was cancelled meanwhile."""
        turn = FileLock(self.database.folder / "training.lock")
        while not self._is_cancelled():
            try:
                turn.acquire(timeout=TURN_SECONDS)
            except Timeout:
                continue
            try:
                with self.database.writing() as connection:
                    move(connection, self.id, "running", among=("queued",))
                    add_event(connection, self.id, "started", "Fine-tuning job started")
                yield not self._is_cancelled()
            finally:
                turn.release()
            return
        yield False

    def _tune(self, train: list[TuningExample], validation: list[TuningExample]) -> Tuned:
        chosen = json.loads(self.job["hyperparameters"])
        return tune(
            train,
            validation,
            base=self._base(),
            encoder=get_encoder(),
            epochs=chosen["n_epochs"],
            batch_size=chosen["batch_size"],
            learning_rate_multiplier=chosen["learning_rate_multiplier"],
            seed=self.job["seed"],
            checkpoint=self.folder.checkpoint,
            on_start=self._plan,
            on_step=self._tell_step,
            on_epoch=self._keep_checkpoint,
            stopped=self._is_cancelled,
        )

    def _base(self) -> ScoringModel | TunedReader:
        if self.job["model"] == EMBEDDED_CHAT_MODEL:
            return shipped_model()
        base = tuned_reader(self.database, self.job["model"])
        if base is None:
            raise RagAssetsError(f"The base model {self.job['model']} was deleted.", fix="Choose another base model.")
        return base

    def _plan(self, steps: int) -> None:
        self.total_steps, self.started = steps, time.monotonic()

    def _tell_step(self, step: Step) -> None:
        """Tells of a step, once, and how long the rest may take. It ends sooner where validation stops improving."""
        of = self.total_steps
        if self.first_step is None:
            self.first_step = step.step
        seconds_a_step = (time.monotonic() - self.started) / (step.step - self.first_step + 1)
        finish = now() + round((of - step.step) * seconds_a_step)
        with self.database.writing(durable=False) as connection:
            add_event(
                connection, self.id, f"step {step.step}", _sentence(step, of), kind="metrics", data=_metrics(step, of)
            )
            connection.execute(
                "UPDATE jobs SET reached_step = ?, spawns_at_progress = spawns WHERE id = ? AND reached_step < ?",
                [step.step, self.id, step.step],
            )
            connection.execute(
                "UPDATE jobs SET estimated_finish = ? WHERE id = ? AND status = 'running'", [finish, self.id]
            )
        failpoint("tuning.step")

    def _keep_checkpoint(self, step: Step, reader: TunedReader) -> None:
        kept = Checkpoints(self.database, self.id, self.model, self.job["letters"])
        kept.keep(step.step, reader, _metrics(step))

    def _finish(self, tuned: Tuned) -> None:
        """Puts model and results into service together with the job's success, if it was not cancelled."""
        if tuned.stopped:
            return
        keep_reader(self.database, self.job["letters"], tuned.reader)
        failpoint("tuning.model")
        results = results_content(tuned.steps)
        write_content(self.database, self.job["result_file"], results)
        failpoint("tuning.results")
        with self.database.writing() as connection:
            values = {"fine_tuned_model": self.model, "trained_tokens": tuned.trained_tokens}
            if not move(connection, self.id, "succeeded", among=("running",), **values):
                return
            insert_model(connection, self.model, self.id, self.job["letters"])
            insert_file(connection, self.job["result_file"], FILENAME, RESULTS, len(results))
            best = f"The best step by validation is {tuned.best_step}" if self.job["validation_file"] else ""
            kept = {"best_step": tuned.best_step, "steps": len(tuned.steps), "stopped_early": tuned.early}
            add_event(connection, self.id, "best", best or f"The last step is {tuned.best_step}", data=kept)
            add_event(connection, self.id, "model", f"New fine-tuned model created: {self.model}")
            add_event(connection, self.id, "succeeded", "The job has successfully completed")
        failpoint("tuning.succeeded")

    def _fail(self, code: str, message: str, param: str | None) -> None:
        with self.database.writing() as connection:
            fail(connection, self.id, code, message, param)

    def _is_cancelled(self) -> bool:
        with self.database.reading() as connection:
            return not is_active(connection, self.id)


def _metrics(step: Step, of: int | None = None) -> dict[str, float | None]:
    """A step in OpenAI's words; what was not measured is left out."""
    values = {
        "step": step.step,
        "total_steps": of,
        "train_loss": step.train_loss,
        "train_mean_token_accuracy": step.train_accuracy,
        "valid_loss": step.valid_loss,
        "valid_mean_token_accuracy": step.valid_accuracy,
        "full_valid_loss": step.valid_loss,
        "full_valid_mean_token_accuracy": step.valid_accuracy,
    }
    return {name: value for name, value in values.items() if value is not None}


def _sentence(step: Step, of: int) -> str:
    validation = "" if step.valid_loss is None else f", validation loss={step.valid_loss:.2f}"
    return f"Step {step.step}/{of}: training loss={step.train_loss:.2f}{validation}"


if __name__ == "__main__":
    main(*sys.argv[1:])
