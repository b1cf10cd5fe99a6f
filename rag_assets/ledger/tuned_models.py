"""The registry: every model that came out of a tuning job, and what was decided about it.

Which of them answers is said by the serving release alone, so that going back to an earlier release goes back to its
model. A status is derived from that each time it is asked for, and kept nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, select, update

from rag_assets.errors import LedgerError, TuningError
from rag_assets.ledger.columns import storable, utc_now
from rag_assets.ledger.engine import Database
from rag_assets.ledger.tables import releases, serving, serving_history
from rag_assets.ledger.tuning_tables import model_decisions
from rag_assets.ledger.tuning_tables import tuned_models as table

Status = Literal["champion", "challenger", "rejected", "retired"]
DecisionName = Literal["promoted", "rejected", "undecided", "blocked", "rolled_back", "retired"]
"""`blocked`: it won its comparison, and a gate refused the release. `undecided`: the comparison decided nothing."""
_NO_NAMES = ("", "none", "null", "nan")


@dataclass(frozen=True, slots=True)
class TunedModel:
    """A model with where it came from. `examples` and `validation_examples` are counts of the file's lines.

    `metrics` is what its training measured. `cost_usd` is None where its price is unknown. From `missing_since` on the
    provider does not have it; from `retired_at` on nothing promotes it by itself.
    """

    model_id: str
    intent_id: str
    provider: str
    base_model: str
    job_id: str
    training_file: str
    examples: int
    validation_examples: int
    hyperparameters: dict[str, Any]
    metrics: dict[str, Any]
    trained_tokens: int | None
    cost_usd: float | None
    created_at: datetime
    retired_at: datetime | None = None
    missing_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ModelDecision:
    """What was decided about a model, by a run or a person. `against` is the model that it was held against."""

    model_id: str
    decision: DecisionName
    reason: str
    decided_by: str
    forced: bool
    against: str
    comparison_id: str | None
    release_id: str | None
    created_at: datetime


class TunedModels(Database):
    """Models that came out of tuning jobs."""

    def record_tuned_model(
        self,
        model_id: str,
        *,
        intent_id: str,
        provider: str,
        base_model: str,
        job_id: str,
        training_file: str,
        examples: int,
        validation_examples: int,
        hyperparameters: Mapping[str, Any],
        metrics: Mapping[str, Any],
        trained_tokens: int | None,
        cost_usd: float | None,
    ) -> TunedModel:
        """Registers the model of a job that succeeded; a second call returns the first row.

        What the second call knows of `metrics`, `trained_tokens` and `cost_usd` replaces what the first knew. Raises
        `TuningError` for an id that is none, and `LedgerError` when the id or the job stands for something else
        already, or when there is no such intent.
        """
        _require_name(model_id)
        identity = {
            "intent_id": intent_id,
            "provider": provider,
            "base_model": base_model,
            "job_id": job_id,
            "training_file": training_file,
            "examples": examples,
            "validation_examples": validation_examples,
        }
        measured = {"metrics": dict(metrics), "trained_tokens": trained_tokens, "cost_usd": cost_usd}
        row = {"model_id": model_id, **identity, **measured, "hyperparameters": dict(hyperparameters)}
        with self.writing() as connection:
            self.upsert(connection, table, [{**row, "created_at": utc_now()}])
            known = {name: value for name, value in measured.items() if value not in (None, {})}
            stored = _model(connection, model_id)
            if stored is None:
                raise LedgerError(f"The tuning job {job_id} is registered with another model than {model_id}.")
            differing = [name for name, value in identity.items() if getattr(stored, name) != value]
            if differing:
                raise LedgerError(
                    f"The model {model_id} is registered with another {', '.join(differing)}.",
                    fix="A model never changes: the provider should have given the new one an id of its own.",
                )
            if known:
                connection.execute(update(table).where(table.c.model_id == model_id).values(**known))
                stored = _model(connection, model_id)
        assert stored is not None, "it was read just now"
        return stored

    def tuned_model(self, model_id: str) -> TunedModel | None:
        """The registered model with this id."""
        with self.reading() as connection:
            return _model(connection, model_id)

    def tuned_models(self) -> list[TunedModel]:
        """All registered models, newest first."""
        newest_first = select(table).order_by(table.c.created_at.desc(), table.c.model_id)
        with self.reading() as connection:
            return [TunedModel(**row._mapping) for row in connection.execute(newest_first)]

    def mark_model_missing(self, model_id: str) -> bool:
        """Says that the provider does not have the model; False when that was said before, or of no such model."""
        return self._mark(model_id, table.c.missing_since.is_(None), missing_since=utc_now())

    def mark_model_found(self, model_id: str) -> bool:
        """Takes `mark_model_missing` back; False when there was nothing to take back."""
        return self._mark(model_id, table.c.missing_since.is_not(None), missing_since=None)

    def retire_model(self, model_id: str) -> bool:
        """Says that nothing promotes the model by itself any more; False when that was said before."""
        return self._mark(model_id, table.c.retired_at.is_(None), retired_at=utc_now())

    def unretire_model(self, model_id: str) -> bool:
        """Takes `retire_model` back; False when there was nothing to take back."""
        return self._mark(model_id, table.c.retired_at.is_not(None), retired_at=None)

    def _mark(self, model_id: str, condition: Any, **values: datetime | None) -> bool:
        statement = update(table).where(table.c.model_id == storable(model_id), condition).values(**values)
        with self.writing() as connection:
            return bool(connection.execute(statement).rowcount)

    def record_decision(
        self,
        model_id: str,
        decision: DecisionName,
        *,
        reason: str,
        decided_by: str,
        against: str = "",
        forced: bool = False,
        comparison_id: str | None = None,
        release_id: str | None = None,
    ) -> ModelDecision:
        """Adds a decision, which holds from now on; one that repeats the newest, as a retry does, is not added."""
        row = {
            "model_id": model_id,
            "decision": decision,
            "reason": storable(reason),
            "decided_by": storable(decided_by),
            "forced": forced,
            "against": storable(against),
            "comparison_id": comparison_id,
            "release_id": release_id,
        }
        with self.writing() as connection:
            newest = next(iter(_decisions(connection, model_id)), None)
            if newest is not None and all(getattr(newest, name) == row[name] for name in row if name != "decided_by"):
                return newest
            made = ModelDecision(**row, created_at=utc_now())  # type: ignore[arg-type]
            connection.execute(model_decisions.insert().values(**row, created_at=made.created_at))
        return made

    def decisions(self, model_id: str | None = None) -> list[ModelDecision]:
        """The decisions about one model, or all, newest first."""
        with self.reading() as connection:
            return _decisions(connection, model_id)

    def model_statuses(self) -> dict[str, Status]:
        """The status of every registered model, by what serves now and what was decided."""
        with self.reading() as connection:
            models = [TunedModel(**row._mapping) for row in connection.execute(select(table))]
            newest: dict[str, str] = {}
            for decision in _decisions(connection, None):
                newest.setdefault(decision.model_id, decision.decision)
            serves, served = _serving_models(connection)
        return {
            model.model_id: _status(model, newest.get(model.model_id), serves, served)
            for model in sorted(models, key=lambda one: one.model_id)
        }


def _require_name(model_id: str | None) -> None:
    if model_id is None or str(model_id).strip().lower() in _NO_NAMES:
        raise TuningError(
            f"{model_id!r} is no model: the job ended without one.", fix="See: rag-assets models list, and the job."
        )


def _model(connection: Connection, model_id: str) -> TunedModel | None:
    row = connection.execute(select(table).where(table.c.model_id == storable(model_id))).one_or_none()
    return TunedModel(**row._mapping) if row else None


def _decisions(connection: Connection, model_id: str | None) -> list[ModelDecision]:
    columns = [column for column in model_decisions.c if column.name != "id"]
    statement = select(*columns).order_by(model_decisions.c.id.desc())
    if model_id is not None:
        statement = statement.where(model_decisions.c.model_id == storable(model_id))
    return [ModelDecision(**row._mapping) for row in connection.execute(statement)]


Served = tuple[str, str]
"""A provider and the model that it answers with."""


def _serving_models(connection: Connection) -> tuple[Served | None, set[Served]]:
    """The chat model of the serving release, and those of all releases that ever served."""
    columns = (releases.c.release_id, releases.c.chat_model, releases.c.details)
    present = connection.execute(select(serving.c.release_id)).scalar_one_or_none()
    ever = select(serving_history.c.release_id).distinct()
    models = {
        row.release_id: (str(row.details.get("chat", {}).get("provider", "")), row.chat_model)
        for row in connection.execute(select(*columns).where(releases.c.release_id.in_(ever)))
    }
    return models.get(present or ""), set(models.values())


def _status(model: TunedModel, decision: str | None, serves: Served | None, served: set[Served]) -> Status:
    own = (model.provider, model.model_id)
    if own == serves and model.missing_since is None:
        return "champion"
    if model.retired_at is not None or own in served or model.missing_since is not None:
        return "retired"
    return "rejected" if decision == "rejected" else "challenger"
