"""What the commands print of a release: what it is made of, how it did, and whether one can go back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rag_assets.releasing import ReleaseContent, newest_verdicts

if TYPE_CHECKING:
    from rag_assets.evaluation.changes import Changes
    from rag_assets.ledger import EvaluationRow, Ledger, Release


def release_row(release: Release, ledger: Ledger) -> dict[str, Any]:
    """One release in a list. `kept`: its rows are there, so that it can serve. `forced` is about its last start."""
    serving = ledger.serving()
    content = ReleaseContent.of(release, ledger)
    starts = [change for change in ledger.serving_history() if change.release_id == release.release_id]
    evaluations = ledger.deciding_evaluations(release.release_id)[:1]
    return {
        "release": release.release_id,
        "serving": serving is not None and serving.release_id == release.release_id,
        "kept": content.snapshot.unpinned_at is None,
        "snapshot": release.snapshot_id,
        "embedding_space": release.space,
        "chat_model": release.chat_model,
        "created_at": release.created_at.isoformat(timespec="seconds"),
        "served_at": starts[0].served_at.isoformat(timespec="seconds") if starts else None,
        "forced": bool(starts) and starts[0].forced,
        "evaluation": evaluations[0].evaluation_id if evaluations else None,
        "metrics": evaluations[0].metrics if evaluations else release.metrics,
        "gates": {
            gate: {"passed": verdict.passed, "reason": verdict.details.get("reason", "")} if verdict else None
            for gate, verdict in newest_verdicts(ledger, content).items()
        },
    }


def release_details(release: Release, ledger: Ledger) -> dict[str, Any]:
    """Everything about one release, with each time it began to serve."""
    snapshot = ReleaseContent.of(release, ledger).snapshot
    return release_row(release, ledger) | {
        "table": snapshot.table,
        "table_version": snapshot.version,
        "generation": snapshot.generation,
        "pruned_at": snapshot.unpinned_at.isoformat(timespec="seconds") if snapshot.unpinned_at else None,
        "sources": snapshot.sources,
        "retrieval": release.retrieval,
        "answering": release.answering,
        "prompts": release.prompts,
        "served": [
            {
                "at": change.served_at.isoformat(timespec="seconds"),
                "by": change.served_by,
                "reason": change.reason,
                "rollback": change.rollback,
                "forced": change.forced,
                "instead_of": change.previous_release_id,
            }
            for change in ledger.serving_history()
            if change.release_id == release.release_id
        ],
    }


def release_line(row: dict[str, Any]) -> str:
    """`release_row` as one line of text."""
    mark = "*" if row["serving"] else " "
    notes = [note for note, holds in (("forced", row["forced"]), ("pruned", not row["kept"])) if holds]
    said = f"  ({', '.join(notes)})" if notes else ""
    return f"{mark} {row['release']}  {row['created_at']}  {row['embedding_space']}  {row['chat_model']}{said}"


def difference(changes: Changes, ledger: Ledger) -> dict[str, Any]:
    """What is different from one release to another, their figures beside each other.

    Figures of different questions are shown all the same; `same_questions` says that they are.
    """
    before, after = _evaluated(changes.before, ledger), _evaluated(changes.after, ledger)
    names = sorted({*(before.metrics if before else ()), *(after.metrics if after else ())})
    figures = {name: (_value(before and before.metrics, name), _value(after and after.metrics, name)) for name in names}
    return changes.to_dict() | {
        "same_questions": before is not None
        and after is not None
        and before.questions_version == after.questions_version,
        "metrics": {
            name: {
                "before": old,
                "after": new,
                "difference": None if old is None or new is None else new - old,
            }
            for name, (old, new) in figures.items()
        },
    }


def _evaluated(release_id: str | None, ledger: Ledger) -> EvaluationRow | None:
    return next(iter(ledger.deciding_evaluations(release_id)), None) if release_id else None


def _value(metrics: Any, name: str) -> float | None:
    found = (metrics or {}).get(name, {}).get("value")
    return None if found is None else float(found)
