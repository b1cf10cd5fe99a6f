"""What the commands print of a tuned model: where it came from, how it did, and what was decided about it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag_assets.ledger import ComparisonRow, Ledger, ModelDecision, TunedModel
    from rag_assets.project import Project


def model_rows(ledger: Ledger) -> list[dict[str, Any]]:
    """Every registered model as `list --json` prints it, newest first."""
    return [model_row(model, ledger) for model in ledger.tuned_models()]


def model_row(model: TunedModel, ledger: Ledger) -> dict[str, Any]:
    """One model. `decision` is the newest one, None before any; `metrics` are those of its training and comparison."""
    newest = next(iter(ledger.decisions(model.model_id)), None)
    return {
        "model_id": model.model_id,
        "base_model": model.base_model,
        "status": ledger.model_statuses()[model.model_id],
        "job_id": model.job_id,
        "training_file": model.training_file,
        "metrics": model.metrics | _compared(ledger.comparisons(model.model_id)),
        "cost_usd": model.cost_usd,
        "decision": newest.decision if newest else None,
        "created_at": _time(model.created_at),
    }


def _compared(rows: list[ComparisonRow]) -> dict[str, Any]:
    """The primary metric of the newest finished comparison, with what it was held against."""
    row = next((one for one in rows if one.decision is not None), None)
    primary = row.details["primary"] if row is not None else None
    if row is None or primary is None:
        return {}
    name = row.details["primary_metric"]
    return {name: primary["challenger"], f"{name}_difference": primary["difference"], "questions": primary["n"]}


def model_details(model: TunedModel, project: Project) -> dict[str, Any]:
    """Everything about one model, with each decision, comparison and release."""
    from rag_assets.tuning.comparison_report import report_path

    ledger = project.ledger
    return model_row(model, ledger) | {
        "provider": model.provider,
        "intent_id": model.intent_id,
        "examples": model.examples,
        "validation_examples": model.validation_examples,
        "hyperparameters": model.hyperparameters,
        "trained_tokens": model.trained_tokens,
        "missing_since": _time(model.missing_since),
        "retired_at": _time(model.retired_at),
        "decisions": [decision_row(one) for one in ledger.decisions(model.model_id)],
        "comparisons": [
            {
                "comparison_id": row.comparison_id,
                "champion": row.champion,
                "decision": row.decision,
                "reason": row.details.get("reason"),
                "primary_metric": row.details.get("primary_metric"),
                "primary": row.details.get("primary"),
                "snapshot": row.snapshot_id,
                "started_at": _time(row.started_at),
                "finished_at": _time(row.finished_at),
                "report": str(report_path(project, row)) if row.report else None,
            }
            for row in ledger.comparisons(model.model_id)
        ],
        "releases": [one.release_id for one in ledger.releases() if one.chat_model == model.model_id],
    }


def decision_row(decision: ModelDecision) -> dict[str, Any]:
    """One decision, who or what made it, and against which model."""
    return {
        "decision": decision.decision,
        "reason": decision.reason,
        "decided_by": decision.decided_by,
        "forced": decision.forced,
        "against": decision.against or None,
        "comparison_id": decision.comparison_id,
        "release": decision.release_id,
        "at": _time(decision.created_at),
    }


def model_line(row: dict[str, Any]) -> str:
    """`model_row` as one line of text."""
    mark = "*" if row["status"] == "champion" else " "
    cost = "" if row["cost_usd"] is None else f"  ${row['cost_usd']:.2f}"
    decided = f" ({row['decision'].replace('_', ' ')})" if row["decision"] else ""
    return f"{mark} {row['model_id']}  {row['status']}{decided}  from {row['base_model']}  {row['created_at']}{cost}"


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
