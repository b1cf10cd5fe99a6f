"""The money of a tuning job: set aside before anything is asked of a provider, settled once with what was paid."""

from __future__ import annotations

from rag_assets.ledger import TuningJob
from rag_assets.ledger.tuning_jobs import SUCCEEDED
from rag_assets.models.catalog import training_price_usd
from rag_assets.models.usage import Usage
from rag_assets.project import Project

ASSET = "fine_tuning_job"
"""Whose spending a job is, as `spend.assets` names it."""


def set_aside(project: Project, job: TuningJob, *, run_id: str | None) -> None:
    """Reserves the estimated cost under the intent's own id, so that a second try finds it. Raises `BudgetError`."""
    project.ledger.reserve_tuning(job.intent_id, job.intent_id)


def give_back(project: Project, job: TuningJob) -> None:
    """Nothing was paid for the job and nothing will be."""


def settle(project: Project, job: TuningJob) -> None:
    """Records what a job that ended cost, once, however often it is said."""


def usage_of(job: TuningJob) -> Usage | None:
    """What the job used; None where nothing says that it was trained at all."""
    if job.trained_tokens is None and job.state != SUCCEEDED:
        return None
    started, ended = job.submitted_at, job.finished_at
    seconds = max(0.0, (ended - started).total_seconds()) if started and ended else 0.0
    return Usage(
        provider=job.provider,
        model=job.base_model,
        operation="fine_tuning",
        input_tokens=job.trained_tokens or 0,
        output_tokens=0,
        requests=1,
        cost_usd=job.cost_usd,
        latency_ms=seconds * 1000,
        request_id=job.job_id,
        estimated=job.trained_tokens is None,
    )


def training_cost_usd(project: Project, provider: str, base_model: str, trained_tokens: int | None) -> float | None:
    """US dollars for so many trained tokens; None where the price or the number is not known."""
    models = project.settings.models
    known = models.all_providers().get(provider)
    price = training_price_usd(base_model, models.prices, kind=known.kind if known else "openai")
    if price == 0:
        return 0.0
    return None if price is None or trained_tokens is None else trained_tokens * price / 1_000_000
