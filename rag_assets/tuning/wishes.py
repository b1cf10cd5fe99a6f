"""What the configuration wants to be trained on a training file, and the attempt that stands for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag_assets.fingerprints import fingerprint
from rag_assets.ledger import TuningJob, TuningWish
from rag_assets.tuning.training_file import TrainingFile
from rag_assets.tuning.tuned_base import tuned_base

if TYPE_CHECKING:
    from rag_assets.project import Project


def wish_of(project: Project, file: TrainingFile, *, estimated_cost_usd: float | None = None) -> TuningWish:
    """What the configuration wants to be trained on `file`. Its key names everything that decides the result."""
    tuning = project.settings.tuning
    base = tuned_base(project.settings)
    chosen = {
        "n_epochs": tuning.epochs,
        "batch_size": tuning.batch_size,
        "learning_rate_multiplier": tuning.learning_rate_multiplier,
    }
    hyperparameters = {name: value for name, value in chosen.items() if value is not None}
    decides = {
        "provider": base.provider,
        "address": project.settings.models.all_providers()[base.provider].base_url,
        "base_model": base.model,
        "training_file": file.file_id,
        "hyperparameters": hyperparameters,
        "seed": tuning.seed,
        "suffix": tuning.suffix or "",
    }
    return TuningWish(
        key=fingerprint(**decides),
        provider=base.provider,
        base_model=base.model,
        training_file=file.file_id,
        seed=tuning.seed,
        suffix=tuning.suffix or "",
        hyperparameters=hyperparameters,
        estimated_cost_usd=estimated_cost_usd,
    )


def attempt_of(project: Project, file: TrainingFile) -> TuningJob | None:
    """The attempt that submitting `file` would go on with or find done; None where it would begin one."""
    newest = project.ledger.newest_tuning(wish_of(project, file).key)
    return newest if newest is not None and newest.stands else None
