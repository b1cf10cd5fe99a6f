"""Metadata of `model_comparison`. Keys are stable and numeric, because the UI plots them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from rag_assets.assets.metadata import Metadata, markdown_table
from rag_assets.project import Project

if TYPE_CHECKING:
    from rag_assets.ledger import ComparisonRow, Release
    from rag_assets.tuning.registry import Decided


def of_models(project: Project, release: Release) -> Metadata:
    """Of `release`: whether a tuned model answers, and which tuned models their providers do not have any more."""
    champion = project.ledger.tuned_model(release.chat_model)
    missing = [
        f"{model.model_id} since {model.missing_since:%Y-%m-%d %H:%M} UTC: {model.base_model} answers for it"
        for model in project.ledger.tuned_models()
        if model.missing_since is not None and model.retired_at is None
    ]
    return {
        "champion": champion.model_id if champion else "none: the base model answers",
        "models_missing": "; ".join(missing) or "none",
    }


def of_decided(project: Project, decided: Decided) -> Metadata:
    """The decision with its figures, both models, and the report."""
    decision, model = decided.decision, decided.model
    shown: Metadata = {
        "decision": decision.decision,
        "reason": decision.reason,
        "challenger": model.model_id,
        "champion": decision.against or "none",
        "decided_by": decision.decided_by,
        "forced": decision.forced,
        "training_file": model.training_file,
        "job": model.job_id,
        **({"release": decision.release_id} if decision.release_id else {}),
    }
    return shown | (of_comparison(project, decided.comparison) if decided.comparison else {})


def of_comparison(project: Project, row: ComparisonRow) -> Metadata:
    """The figures of a finished comparison."""
    from rag_assets.tuning.comparison_report import report_path

    details, path = row.details, report_path(project, row)
    primary: Mapping[str, Any] = details["primary"] or {}
    names = ("n", "champion", "challenger", "difference", "lower_bound", "p_better", "detectable")
    figures = {f"primary_{name}": primary[name] for name in names if name in primary}
    costs = {f"{side}_cost_usd": details[side]["cost_usd"] for side in ("champion", "challenger")}
    errors = {f"{side}_errors": details[side]["errors"] for side in ("champion", "challenger")}
    return {
        "comparison": row.comparison_id,
        "snapshot": row.snapshot_id,
        "primary_metric": details["primary_metric"],
        **figures,
        "wins": details["wins"],
        "losses": details["losses"],
        **{name: cost for name, cost in costs.items() if cost is not None},
        **errors,
        "figures": dg.MetadataValue.md(_figures(details)),
        "report_link": dg.MetadataValue.url(f"/reports/{path.parent.name}/{path.name}"),
        "report_path": dg.MetadataValue.path(str(path)),
    }


def _figures(details: Mapping[str, Any]) -> str:
    rows = []
    for name, one in details["metrics"].items():
        test = details["mcnemar"].get(name)
        low, high = one["ci95"]
        rows.append(
            [
                name + (" (decides)" if name == details["primary_metric"] else ""),
                one["n"],
                f"{one['champion']:.3f}",
                f"{one['challenger']:.3f}",
                f"{one['difference']:+.3f} ({low:+.3f} to {high:+.3f})",
                f"{test['p']:.4f}" if test else "–",
            ]
        )
    return markdown_table(["metric", "questions", "champion", "challenger", "difference", "McNemar p"], rows)


def of_nothing_to_compare(project: Project) -> dg.MaterializeResult[None]:
    """Says what is the case, under the data version of the last comparison, so that nothing looks changed."""
    known = project.ledger.stage_runs("model_comparison", "", limit=1)
    statuses = project.ledger.model_statuses()
    champion = next((name for name, status in statuses.items() if status == "champion"), None)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(known[0].data_version if known else "none"),
        metadata={
            "decision": "nothing to compare",
            "reason": "every tuned model serves or is retired",
            "champion": champion or "none",
            "models": len(statuses),
        },
    )
