"""What providers say about tuning, as plain values, however much of OpenAI's shape they fill in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Status = Literal["open", "succeeded", "failed", "cancelled"]
_ENDED: dict[str, Status] = {
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
    "canceled": "cancelled",
}
_NO_MODEL = ("", "none", "null")


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file at a provider."""

    file_id: str
    filename: str
    size_bytes: int
    rejected: bool = False
    details: str = ""


@dataclass(frozen=True, slots=True)
class TuningRequest:
    """What a job is asked for. `hyperparameters` holds n_epochs, batch_size, learning_rate_multiplier where chosen."""

    intent_id: str
    base_model: str
    training_file_id: str
    validation_file_id: str | None
    seed: int
    suffix: str = ""
    hyperparameters: Mapping[str, int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProviderJob:
    """A job as its provider tells it. `status` is the provider's word, `standing` what it comes to.

    `model_id` is None unless the provider named a model. `error` is the provider's own reason, empty without one.
    """

    job_id: str
    status: str
    base_model: str
    training_file: str
    created_at: datetime
    model_id: str | None = None
    validation_file: str | None = None
    trained_tokens: int | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    result_files: tuple[str, ...] = ()
    error: str = ""
    finished_at: datetime | None = None
    estimated_finish: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def standing(self) -> Status:
        """How it ended, or `open`, also where the provider's word is not known here."""
        return _ENDED.get(self.status, "open")


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened to a job. `data` holds figures of a step in events of metrics."""

    event_id: str
    created_at: datetime
    level: str
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobCheckpoint:
    """A model that a job kept on its way."""

    checkpoint_id: str
    model_id: str
    step: int
    metrics: Mapping[str, float] = field(default_factory=dict)


def file_of(answer: Any) -> UploadedFile:
    """A `file` object."""
    details = str(getattr(answer, "status_details", None) or "")
    return UploadedFile(
        answer.id, str(answer.filename), int(answer.bytes or 0), getattr(answer, "status", None) == "error", details
    )


def job_of(answer: Any) -> ProviderJob | None:
    """A `fine_tuning.job` object; None where the answer is none."""
    job_id, status = getattr(answer, "id", None), getattr(answer, "status", None)
    if not isinstance(job_id, str) or not job_id or not isinstance(status, str):
        return None
    model = getattr(answer, "fine_tuned_model", None)
    named = isinstance(model, str) and model.strip().lower() not in _NO_MODEL
    return ProviderJob(
        job_id=job_id,
        status=status,
        base_model=str(getattr(answer, "model", None) or ""),
        training_file=str(getattr(answer, "training_file", None) or ""),
        created_at=_time(getattr(answer, "created_at", None)) or datetime.now(UTC),
        model_id=model if named else None,
        validation_file=getattr(answer, "validation_file", None),
        trained_tokens=getattr(answer, "trained_tokens", None),
        hyperparameters=_hyperparameters(answer),
        seed=getattr(answer, "seed", None),
        result_files=tuple(getattr(answer, "result_files", None) or ()),
        error=_reason(getattr(answer, "error", None)),
        finished_at=_time(getattr(answer, "finished_at", None)),
        estimated_finish=_time(getattr(answer, "estimated_finish", None)),
        metadata=dict(getattr(answer, "metadata", None) or {}),
    )


def event_of(answer: Any) -> JobEvent:
    """A `fine_tuning.job.event` object."""
    data = getattr(answer, "data", None)
    return JobEvent(
        event_id=str(answer.id),
        created_at=_time(getattr(answer, "created_at", None)) or datetime.now(UTC),
        level=str(getattr(answer, "level", None) or "info"),
        message=str(getattr(answer, "message", None) or ""),
        data=dict(data) if isinstance(data, Mapping) else {},
    )


def checkpoint_of(answer: Any) -> JobCheckpoint:
    """A `fine_tuning.job.checkpoint` object."""
    metrics = getattr(answer, "metrics", None)
    known = _plain(metrics)
    numbers = {name: float(value) for name, value in known.items() if isinstance(value, int | float)}
    return JobCheckpoint(str(answer.id), str(answer.fine_tuned_model_checkpoint), int(answer.step_number), numbers)


def _hyperparameters(answer: Any) -> dict[str, Any]:
    """What the provider uses, from the newer place or the older one; without what it leaves open."""
    method = getattr(answer, "method", None)
    newer = getattr(getattr(method, "supervised", None), "hyperparameters", None)
    found = _plain(getattr(answer, "hyperparameters", None)) | _plain(newer)
    return {name: value for name, value in found.items() if value is not None}


def _reason(error: Any) -> str:
    """The provider's words, with its code where that says more than the words."""
    message = str(getattr(error, "message", None) or "").strip()
    code = str(getattr(error, "code", None) or "").strip()
    if message and code:
        return f"{message} ({code})"
    return message or code


def _plain(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    return dict(value.model_dump()) if hasattr(value, "model_dump") else dict(value)


def _time(seconds: Any) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) else None
