"""The money of a tuning job: set aside before anything is asked of a provider, settled once with what was paid."""

from __future__ import annotations

from rag_assets.errors import BudgetError, LedgerError
from rag_assets.ledger import TuningJob
from rag_assets.ledger.tuning_jobs import CANCELLED, EXPIRED, SUCCEEDED
from rag_assets.models.catalog import training_price_usd
from rag_assets.models.usage import Usage
from rag_assets.project import Project

ASSET = "fine_tuning_job"
"""Whose spending a job is, as `spend.assets` names it."""


def set_aside(project: Project, job: TuningJob, *, run_id: str | None) -> None:
    """Reserves the estimated cost under the intent's own id, so that a second try finds it. Raises `BudgetError`."""
    ledger = project.ledger
    if ledger.reservation(job.intent_id) is None:
        try:
            ledger.reserve(
                ASSET,
                job.estimated_cost_usd,
                model=job.base_model,
                limits=project.settings.spend,
                run_id=run_id,
                reservation_id=job.intent_id,
            )
        except (BudgetError, LedgerError):
            if ledger.reservation(job.intent_id) is None:
                raise  # else another process that submits the same job was faster, and its money is this job's
    ledger.reserve_tuning(job.intent_id, job.intent_id)


def give_back(project: Project, job: TuningJob) -> None:
    """Nothing was paid for the job and nothing will be."""
    project.ledger.release_reservation(job.intent_id)


def settle(project: Project, job: TuningJob) -> None:
    """Records what a job that ended cost, once, however often it is said."""
    if project.ledger.reservation(job.intent_id) is not None:
        project.ledger.settle(job.intent_id, usage_of(job))


def usage_of(job: TuningJob) -> Usage | None:
    """What the job used; None where nothing says that it was trained at all.

    Where its provider does not say what was trained on, the cost is the estimate; of a job that was stopped, the share
    of it that its last known step is of all: a provider is paid for what it did until then.
    """
    told = job.trained_tokens is not None
    share = 1.0 if job.state == SUCCEEDED else _share_done(job)
    if not told and not share:
        return None
    estimate = None if job.estimated_cost_usd is None else job.estimated_cost_usd * share
    started, ended = job.submitted_at, job.finished_at
    seconds = max(0.0, (ended - started).total_seconds()) if started and ended else 0.0
    return Usage(
        provider=job.provider,
        model=job.base_model,
        operation="fine_tuning",
        input_tokens=job.trained_tokens or 0,
        output_tokens=0,
        requests=1,
        cost_usd=job.cost_usd if told else estimate,
        latency_ms=seconds * 1000,
        request_id=job.job_id,
        estimated=not told,
    )


def _share_done(job: TuningJob) -> float:
    """Of a job that was stopped, by the steps that were told; 0 of one that failed, for which nobody asks money."""
    told = job.details.get("progress") or {}
    step, total = told.get("step"), told.get("total_steps")
    if job.state not in (CANCELLED, EXPIRED) or not step or not total:
        return 0.0
    return min(1.0, float(step) / float(total))


def training_cost_usd(project: Project, provider: str, base_model: str, trained_tokens: int | None) -> float | None:
    """US dollars for so many trained tokens; None where the price or the number is not known."""
    models = project.settings.models
    known = models.all_providers().get(provider)
    price = training_price_usd(base_model, models.prices, kind=known.kind if known else "openai")
    if price == 0:
        return 0.0
    return None if price is None or trained_tokens is None else trained_tokens * price / 1_000_000
