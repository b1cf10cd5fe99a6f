"""Metadata of tuning jobs and tuned models. Keys are stable and numeric, because the UI plots them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from rag_assets.assets.metadata import Metadata, markdown_table
from rag_assets.ledger import TuningJob
from rag_assets.tuning.collecting import Collected, hyperparameters_of
from rag_assets.tuning.curve_plot import as_markdown_image, curves_png
from rag_assets.tuning.jobs import Submitted
from rag_assets.tuning.polling import Polled
from rag_assets.tuning.training_file import TrainingFile

EVENTS_SHOWN = 50
HYPERPARAMETERS = ("n_epochs", "batch_size", "learning_rate_multiplier")


def of_fine_tuning_job(begun: Submitted, file: TrainingFile) -> Metadata:
    """Metadata of `fine_tuning_job`."""
    job = begun.job
    counts = file.manifest.get("examples", {})
    return {
        **_of_job(job, begun.url),
        "how": begun.how,
        "training_file": job.training_file,
        "train_examples": int(counts.get("train", 0)),
        "validation_examples": int(counts.get("validation", 0)),
        **_hyperparameters(job.hyperparameters),
        "suffix": job.suffix or "none",
        **_dollars("estimated_cost_usd", job.estimated_cost_usd),
        **({"deadline": dg.MetadataValue.timestamp(job.deadline)} if job.deadline else {}),
    }


def of_fine_tuned_model(collected: Collected) -> Metadata:
    """Metadata of `fine_tuned_model`."""
    model, job = collected.model, collected.job
    png = curves_png(collected.curves)
    plot = as_markdown_image(png, "loss and accuracy by step") if png else "The provider measured nothing on the way."
    told: Metadata = {
        **_of_job(job, collected.url),
        "model_id": model.model_id,
        "training_file": model.training_file,
        "train_examples": model.examples,
        "validation_examples": model.validation_examples,
        **_hyperparameters(hyperparameters_of(job)),
        **_dollars("cost_usd", model.cost_usd),
        "curves": dg.MetadataValue.md(plot),
        **model.metrics,
    }
    if model.trained_tokens is not None:
        told["trained_tokens"] = model.trained_tokens
    if collected.seconds is not None:
        told["duration_seconds"] = round(collected.seconds, 1)
    return told


def observation_of(polled: Polled) -> dg.AssetObservation:
    """What an observation of `fine_tuning_job` tells of a poll."""
    return dg.AssetObservation(asset_key="fine_tuning_job", metadata=of_progress(polled))


def of_progress(polled: Polled) -> Metadata:
    """Metadata of an observation: how a job is, and what happened since the last one."""
    job = polled.job
    rows = [(f"{one.created_at:%H:%M:%S}", one.level, one.message) for one in polled.events[-EVENTS_SHOWN:]]
    left_out = len(polled.events) - len(rows)
    table = markdown_table(["time (UTC)", "level", "event"], rows) if rows else "Nothing new."
    told: Metadata = {
        **_of_job(job, polled.url),
        "status": str(job.details.get("status") or "not known yet"),
        "events": dg.MetadataValue.md(f"{table}\n\n{left_out:,} earlier ones are not shown." if left_out else table),
        **_numbers(job.details.get("progress") or {}),
    }
    if job.is_open and job.details.get("estimated_finish"):
        finish = datetime.fromisoformat(job.details["estimated_finish"])
        told["estimated_finish"] = dg.MetadataValue.timestamp(finish)
    if job.model_id:
        told["model_id"] = job.model_id
    if job.error:
        told["error"] = job.error
    return told


def _of_job(job: TuningJob, url: str) -> Metadata:
    return {
        "job_id": job.job_id or "none yet",
        "job": dg.MetadataValue.url(url),
        "intent": job.intent_id,
        "state": job.state,
        "attempt": job.attempt,
        "provider": job.provider,
        "base_model": job.base_model,
        "seed": job.seed,
    }


def _hyperparameters(known: Mapping[str, Any]) -> Metadata:
    """Numbers where they are known; the provider chooses what is not named."""
    return {name: known.get(name) if known.get(name) is not None else "the provider's" for name in HYPERPARAMETERS}


def _numbers(figures: Mapping[str, Any]) -> Metadata:
    return {name: value for name, value in figures.items() if isinstance(value, int | float)}


def _dollars(key: str, amount_usd: float | None) -> Metadata:
    """An unknown price has no number: it must not be plotted as 0."""
    return {key: amount_usd} if amount_usd is not None else {f"{key}_note": "it is not known"}
