"""Submits a tuning job so that it is paid for once, whatever ends this process and whenever.

    intent on record ─► money set aside ─► files uploaded ─► job created ─► its id on record

Each step leaves what the next try finds: files by their names, which hold the intent's id; the job by the intent's id
in its metadata or by the id of its training file. Before a job is asked for, the moment is put on record, and who finds
such a moment without a job looks for the job until no request of then can be under way any more. Only then, and only
one process, asks again. So the worst that a crash costs is that wait.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from rag_assets.errors import (
    BudgetError,
    GateError,
    InvalidRequestError,
    ModelError,
    ProviderUnavailableError,
    RateLimitError,
    TuningError,
)
from rag_assets.failpoints import failpoint
from rag_assets.ledger import Ledger, TuningJob
from rag_assets.ledger.columns import utc_now
from rag_assets.ledger.tuning_jobs import INTENDED, REFUSED, SUCCEEDED
from rag_assets.models.fine_tuning import FineTuner
from rag_assets.models.tuning_objects import ProviderJob, TuningRequest
from rag_assets.project import Project
from rag_assets.tuning import money
from rag_assets.tuning.gates import NOTHING_COVERED, require_training_file, set_aside_for
from rag_assets.tuning.training_file import TrainingFile
from rag_assets.tuning.wishes import wish_of

LOOK_EVERY_SECONDS = 1.0
CLAIMS_AT_MOST = 5
_log = logging.getLogger("rag_assets.progress")
How = Literal["submitted", "found", "continued", "reused"]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Submitted:
    """An attempt that is at its provider. `how`: created now, found there again, still under way, or done before."""

    job: TuningJob
    how: How
    url: str


def open_tuner(project: Project, provider: str, *, hasty: bool = False) -> FineTuner:
    """The client of `provider`, which keeps its turns with everybody else's; see `FineTuner` for `hasty`."""
    models = project.settings.models
    over_http = provider in models.all_providers() and models.all_providers()[provider].kind == "openai"
    return FineTuner(models, provider, limits=project.ledger if over_http else None, hasty=hasty)


def submit(project: Project, file: TrainingFile, *, run_id: str | None = None, say: Say = _log.info) -> Submitted:
    """Sees to it that what the configuration wants of `file` is being tuned, or has been.

    Raises `GateError` unless the file passed its gates, `BudgetError`, and what the provider refuses, with nothing
    paid; `ProviderUnavailableError` where it is not known yet whether a job was created: the next try finds out first.
    """
    wish = wish_of(project, file)
    _ = file.manifest  # the model is registered with it: what is missing is to be missed before anything is paid
    cost = require_training_file(project, file)
    wish = replace(wish, estimated_cost_usd=cost.cost_usd)
    with open_tuner(project, wish.provider) as tuner:
        job = project.ledger.begin_tuning(wish, run_id=run_id)
        if job.state == SUCCEEDED and job.model_id and not tuner.model_exists(job.model_id):
            _require_wanted(project, job.model_id)
            say(f"The model {job.model_id} of these examples is gone at {wish.provider!r}: tuning anew.")
            require_training_file(project, file, coverage=NOTHING_COVERED)
            job = project.ledger.begin_tuning(wish, run_id=run_id, gone=job.intent_id)
        before = job.state
        if before == INTENDED:
            submission = Submission(project, tuner, file, say, run_id)
            job = submission.run(job)
            return Submitted(job, submission.how, tuner.job_url(job.name))
        how: How = "reused" if before == SUCCEEDED else "continued"
        return Submitted(job, how, tuner.job_url(job.name))


def _require_wanted(project: Project, model_id: str) -> None:
    """A model that a person threw away is not paid for again by a schedule. Raises `TuningError`."""
    model = project.ledger.tuned_model(model_id)
    if model is not None and model.retired_at is not None:
        raise TuningError(
            f"The model {model_id}, which these examples made with these settings, was retired and is gone.",
            fix="Change the examples or the settings below tuning, for one tuning.seed, to tune another.",
        )


class Submission:
    """One try to bring one intent to its provider. `how` says afterwards whether the job was found or created."""

    def __init__(self, project: Project, tuner: FineTuner, file: TrainingFile, say: Say, run_id: str | None) -> None:
        self.how: How = "submitted"
        self._project = project
        self._ledger: Ledger = project.ledger
        self._tuner = tuner
        self._file = file
        self._say = say
        self._run_id = run_id

    def run(self, job: TuningJob) -> TuningJob:
        """The attempt with the id of its job."""
        failpoint("tuning.between_intent_and_call")
        for _ in range(CLAIMS_AT_MOST):
            if job.called_at is not None:
                job = self._recovered(job)
            if job.state != INTENDED:
                return self._at_provider(job)
            seen = job.called_at  # what was looked into: a call that another process made since is not
            job = self._prepared(job)
            failpoint("tuning.between_upload_and_create")
            called_at = self._ledger.claim_tuning_call(job.intent_id, seen)
            if called_at is not None:
                return self._created(job, called_at)
            job = self._fresh(job)  # another process asks for the same job: see what comes of it
        raise ProviderUnavailableError(
            f"Other processes are submitting the tuning job {job.intent_id}.", fix="Wait for them, and try again."
        )

    def _recovered(self, job: TuningJob) -> TuningJob:
        """Looks for a job that was asked for without its id having arrived, until none can come any more."""
        assert job.called_at is not None
        settled_at = job.called_at + timedelta(seconds=self._tuner.settled_after_seconds)
        told = False
        while True:
            settled = utc_now() >= settled_at
            found = self._look(job)
            if found is not None:
                self.how = "found"
                return self._noted(job, found)
            job = self._fresh(job)
            if settled or job.state != INTENDED:
                return job
            if not told:
                self._say(f"A tuning job was asked for at {job.called_at:%H:%M:%S} UTC and is not listed; looking on.")
                told = True
            remaining = (settled_at - utc_now()).total_seconds()
            time.sleep(max(0.01, min(LOOK_EVERY_SECONDS, remaining)))

    def _prepared(self, job: TuningJob) -> TuningJob:
        """Money set aside and files uploaded, or the attempt ended.

        Where a call of before created nothing, nothing is paid yet, and the budgets of now are asked once more.
        """
        try:
            if job.called_at is not None:
                self._require_room(job, job.called_at)
            money.set_aside(self._project, job, run_id=self._run_id)
            failpoint("tuning.between_reservation_and_upload")
            return self._uploaded(self._fresh(job))
        except (BudgetError, GateError, InvalidRequestError) as error:
            self._refused(job, error)
            raise

    def _require_room(self, job: TuningJob, called_at: datetime) -> None:
        try:
            require_training_file(self._project, self._file, coverage=set_aside_for(self._project, job))
        except GateError:
            self._ledger.forget_tuning_call(job.intent_id, called_at)
            raise

    def _uploaded(self, job: TuningJob) -> TuningJob:
        if job.train_file_id is not None:
            return job
        train = self._sent(job, "train")
        failpoint("tuning.between_files")
        has_validation = self._file.path("validation").is_file() and self._file.path("validation").stat().st_size > 0
        validation = self._sent(job, "validation") if has_validation else None
        failpoint("tuning.between_upload_and_ledger")
        return self._ledger.name_tuning_files(job.intent_id, train, validation)

    def _sent(self, job: TuningJob, split: Literal["train", "validation"]) -> str:
        path: Path = self._file.path(split)
        name = f"rag_assets-{job.intent_id}-{split}.jsonl"
        found = self._tuner.find_file(name, path.stat().st_size)
        return (found or self._tuner.upload(path, name)).file_id

    def _created(self, job: TuningJob, called_at: datetime) -> TuningJob:
        request = TuningRequest(
            intent_id=job.intent_id,
            base_model=job.base_model,
            training_file_id=job.train_file_id or "",
            validation_file_id=job.validation_file_id,
            seed=job.seed,
            suffix=job.suffix,
            hyperparameters=job.hyperparameters,
        )
        try:
            made = self._tuner.create(request)
        except ProviderUnavailableError:
            found = self._look(job)  # an answer that was lost is no job that was lost
            if found is None:
                raise
            made, self.how = found, "found"
        except ModelError as error:
            last = self._ledger.forget_tuning_call(job.intent_id, called_at)
            if last and not isinstance(error, RateLimitError):
                self._refused(job, error)
            raise
        failpoint("tuning.between_create_and_ledger")
        return self._noted(job, made)

    def _look(self, job: TuningJob) -> ProviderJob | None:
        return self._tuner.find_job(
            intent_id=job.intent_id,
            training_file_id=job.train_file_id,
            since=job.created_at,
            known=self._ledger.tuning_job_ids(),
        )

    def _noted(self, job: TuningJob, made: ProviderJob) -> TuningJob:
        return note_submitted(self._project, self._tuner, job, made)

    def _refused(self, job: TuningJob, error: BudgetError | GateError | ModelError) -> None:
        if self._fresh(job).called_at is not None:
            return  # another process is asking: its answer decides
        if self._ledger.end_tuning(job.intent_id, REFUSED, error=str(error)):
            money.give_back(self._project, job)

    def _at_provider(self, job: TuningJob) -> TuningJob:
        if job.job_id is None:
            raise TuningError(
                f"The tuning job {job.intent_id} was {job.state} meanwhile: {job.error}", fix="Start it again."
            )
        return job

    def _fresh(self, job: TuningJob) -> TuningJob:
        found = self._ledger.tuning_job(job.intent_id)
        assert found is not None, "attempts stay"
        return found


def note_submitted(project: Project, tuner: FineTuner, job: TuningJob, made: ProviderJob) -> TuningJob:
    """Puts the id of the job on record; from now on its time runs.

    Should the attempt have ended meanwhile, or have another job, this one is cancelled: nobody would collect it.
    """
    deadline = utc_now() + timedelta(hours=project.settings.tuning.time_limit_hours)
    noted = project.ledger.submit_tuning(job.intent_id, made.job_id, deadline)
    if noted.job_id != made.job_id:
        with suppress(InvalidRequestError):  # it has ended
            tuner.cancel(made.job_id)
        raise TuningError(
            f"The attempt {job.intent_id} was {noted.state} while its job was created; {made.job_id} was cancelled.",
            fix="Start it again.",
        )
    return noted
