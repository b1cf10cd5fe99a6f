"""An evaluation as the ledger keeps it."""

from __future__ import annotations

from rag_assets.errors import NoReleaseError
from rag_assets.evaluation.model import Evaluation, ItemResult, Metric
from rag_assets.ledger import EvaluationRow, Ledger


def find_evaluation(ledger: Ledger, name: str) -> Evaluation:
    """The evaluation whose id begins with `name`, or the newest one of the release whose id does.

    Raises `NoReleaseError` when there is none, or more than one.
    """
    rows = ledger.evaluations()
    by_evaluation = [row for row in rows if row.evaluation_id.startswith(name)]
    by_release = [row for row in rows if row.release_id.startswith(name)]
    found = by_evaluation or by_release[:1]
    several = len(by_evaluation) > 1 or (not by_evaluation and len({row.release_id for row in by_release}) > 1)
    if not name or not found or several:
        what = f"{name!r} is the beginning of several evaluations." if several else f"There is no evaluation {name!r}."
        raise NoReleaseError(what, fix="List them with: rag-assets eval list")
    return load_evaluation(ledger, found[0])


def load_evaluation(ledger: Ledger, row: EvaluationRow) -> Evaluation:
    """The whole evaluation behind `row`, question by question."""
    hashes: list[str] = row.details.get("question_hashes", [])
    results = {key: item.result for key, item in ledger.items(row.measured_id, hashes).items()}
    results |= {failed["question_hash"]: failed for failed in row.details.get("failed", [])}
    return Evaluation(
        evaluation_id=row.evaluation_id,
        measured_id=row.measured_id,
        release_id=row.release_id,
        snapshot_id=row.snapshot_id,
        questions_version=row.questions_version,
        items=tuple(ItemResult.from_dict(results[key]) for key in hashes if key in results),
        metrics={
            name: Metric(one["value"], (one["ci95"][0], one["ci95"][1]) if one["ci95"] else None, one["n"])
            for name, one in row.metrics.items()
        },
        orphaned=row.details.get("orphaned", {}),
        reused_items=len(hashes),
    )
