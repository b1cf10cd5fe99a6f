"""Takes in a tuning job that ended: a model with what it cost and how it learned, or the provider's own reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rag_assets.errors import InvalidRequestError, ModelNotFoundError, TuningError
from rag_assets.failpoints import failpoint
from rag_assets.ledger import TunedModel, TuningJob
from rag_assets.ledger.tuning_jobs import SUBMITTED, SUCCEEDED
from rag_assets.models.fine_tuning import FineTuner
from rag_assets.project import Project
from rag_assets.tuning import money
from rag_assets.tuning.curves import Curves, of_rows, read_results
from rag_assets.tuning.jobs import open_tuner
from rag_assets.tuning.polling import refreshed
from rag_assets.tuning.training_file import TrainingFile


@dataclass(frozen=True, slots=True)
class Collected:
    """A tuned model, registered, and its job. `curves` is empty where the provider measured nothing."""

    model: TunedModel
    job: TuningJob
    curves: Curves
    url: str

    @property
    def seconds(self) -> float | None:
        """From the job's submission to its end."""
        if self.job.submitted_at is None or self.job.finished_at is None:
            return None
        return max(0.0, (self.job.finished_at - self.job.submitted_at).total_seconds())


def collect(project: Project, job: TuningJob) -> Collected:
    """Registers the model of `job`, records what it cost, once, and reads its curves. The same again changes nothing.

    Raises `TuningError` while the job goes on, and, with the provider's own reason, where it ended without a model.
    """
    with open_tuner(project, job.provider) as tuner:
        url = tuner.job_url(job.name)
        if job.is_open:
            job = refreshed(project, tuner, job)
        if job.is_open:
            raise TuningError(_goes_on(job, url), fix="It is collected when it ends; nothing has to be done for that.")
        money.settle(project, job)
        if job.state != SUCCEEDED or job.model_id is None:
            project.ledger.collect_tuning(job.intent_id)
            raise TuningError(f"The tuning job {job.name} {_ended(job)}", fix=f"See {url}; then start it again.")
        if not tuner.model_exists(job.model_id):
            raise ModelNotFoundError(
                f"The tuning job {job.name} made the model {job.model_id}, which its provider does not have.",
                fix="Run: rag-assets tune",
            )
        curves = _curves(tuner, job)
    failpoint("tuning.between_settled_and_registered")
    model = _registered(project, job, curves)
    project.ledger.note_tuning(job.intent_id, {"curves": curves.as_columns()})
    failpoint("tuning.between_registered_and_collected")
    project.ledger.collect_tuning(job.intent_id)
    return Collected(model, job, curves, url)


def job_to_collect(project: Project, intent_id: str | None = None) -> TuningJob:
    """The attempt that is named, else the one that fine_tuning_job stands for. Raises `TuningError` without any."""
    if intent_id is None:
        known = project.ledger.stage_runs("fine_tuning_job", "", limit=1)
        intent_id = known[0].data_version if known else None
    job = project.ledger.tuning_job(intent_id) if intent_id else None
    if job is None:
        raise TuningError(
            "No tuning job was submitted yet.", fix="Materialize fine_tuning_job, or run: rag-assets tune"
        )
    return job


def _registered(project: Project, job: TuningJob, curves: Curves) -> TunedModel:
    assert job.model_id is not None and job.job_id is not None, "it succeeded"
    counts = TrainingFile.open(project.settings.data_path, job.training_file).manifest.get("examples", {})
    return project.ledger.record_tuned_model(
        job.model_id,
        intent_id=job.intent_id,
        provider=job.provider,
        base_model=job.base_model,
        job_id=job.job_id,
        training_file=job.training_file,
        examples=int(counts.get("train", 0)),
        validation_examples=int(counts.get("validation", 0)),
        hyperparameters=hyperparameters_of(job),
        metrics=curves.metrics(),
        trained_tokens=job.trained_tokens,
        cost_usd=job.cost_usd,
    )


def hyperparameters_of(job: TuningJob) -> dict[str, Any]:
    """What the provider says it used, over what was asked for."""
    told: dict[str, Any] = job.details.get("hyperparameters") or {}
    return {**job.hyperparameters, **told}


def _curves(tuner: FineTuner, job: TuningJob) -> Curves:
    """From the results files, else from the checkpoints. A model is no worse for curves that cannot be had."""
    for file_id in job.details.get("result_files") or ():
        try:
            return read_results(tuner.result(file_id))
        except (InvalidRequestError, TuningError):
            continue
    try:
        checkpoints = tuner.checkpoints(job.name)
    except InvalidRequestError:
        return Curves(())
    return of_rows({"step": one.step, **one.metrics} for one in checkpoints)


def _goes_on(job: TuningJob, url: str) -> str:
    status = job.details.get("status") or "not started yet"
    what = "goes on" if job.state == SUBMITTED else "was not submitted yet"
    return f"The tuning job {job.name} {what} ({status}); there is no model yet. {url}"


def _ended(job: TuningJob) -> str:
    how = {"failed": "failed", "cancelled": "was cancelled", "expired": "expired", "refused": "was refused"}
    return f"{how.get(job.state, job.state)}: {job.error or 'no reason is known.'}"
