"""What of a job's money is in the ledger already, so that the gate of the budget does not count it a second time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag_assets.ledger import TuningJob
from rag_assets.ledger.tuning_jobs import INTENDED
from rag_assets.tuning.training_file import TrainingFile
from rag_assets.tuning.wishes import attempt_of

if TYPE_CHECKING:
    from rag_assets.project import Project


@dataclass(frozen=True, slots=True)
class Coverage:
    """`job`: the name of a job that was asked for already, and is gone on with; else empty. `set_aside_usd`: for it."""

    job: str = ""
    set_aside_usd: float = 0.0


NOTHING_COVERED = Coverage()


def coverage_of(project: Project, file: TrainingFile) -> Coverage:
    """That of the attempt which submitting `file` would go on with or find done.

    A job that was asked for without an answer is looked for before anything is asked again, so that it counts as well.
    """
    attempt = attempt_of(project, file)
    if attempt is None:
        return NOTHING_COVERED
    if attempt.state != INTENDED or attempt.called_at is not None:
        return Coverage(job=attempt.name)
    return set_aside_for(project, attempt)


def set_aside_for(project: Project, attempt: TuningJob) -> Coverage:
    """What is set aside for an attempt that has no job."""
    held = project.ledger.reservation(attempt.intent_id)
    return Coverage(set_aside_usd=held.amount_usd if held is not None and held.settled_at is None else 0.0)
