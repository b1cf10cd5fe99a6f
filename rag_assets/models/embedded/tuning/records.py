"""The rows of jobs and their events, as the API and the process that trains both change them.

A job's status only goes forward, in one statement that names where it may come from: of a cancellation and an end at
the same moment one counts. An event has a name within its job, and a name is told once: what a process does again
after a crash leaves no second trace.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Literal

from rag_assets.models.embedded.tuning.ids import new_id, now
from rag_assets.models.embedded.wire import JsonObject, WireError

ACTIVE = ("validating_files", "queued", "running")
Status = Literal["validating_files", "queued", "running", "succeeded", "failed", "cancelled"]
ORGANIZATION = "org-rag-assets"


def job_row(connection: sqlite3.Connection, job_id: str) -> sqlite3.Row:
    """Raises `WireError` where there is no such job."""
    found = connection.execute("SELECT * FROM jobs WHERE id = ?", [job_id]).fetchone()
    if not isinstance(found, sqlite3.Row):
        raise WireError(
            f"Could not find fine tune: {job_id}", status=404, param="fine_tuning_job_id", code="fine_tune_not_found"
        )
    return found


def is_active(connection: sqlite3.Connection, job_id: str) -> bool:
    """Whether the job is neither done nor failed nor cancelled."""
    return job_row(connection, job_id)["status"] in ACTIVE


def move(
    connection: sqlite3.Connection, job_id: str, status: Status, *, among: tuple[str, ...] = ACTIVE, **columns: Any
) -> bool:
    """Gives the job another status and other values; False, and nothing changed, where it is not `among` those."""
    values = {"status": status, **columns}
    if status not in ACTIVE:
        values |= {"finished_at": now(), "estimated_finish": None}
    changes = ", ".join(f"{name} = ?" for name in values)
    places = ", ".join("?" for _ in among)
    changed = connection.execute(
        f"UPDATE jobs SET {changes} WHERE id = ? AND status IN ({places})",  # noqa: S608  # names of columns are ours
        [*values.values(), job_id, *among],
    )
    return changed.rowcount == 1


def fail(connection: sqlite3.Connection, job_id: str, code: str, message: str, param: str | None) -> None:
    """Ends an active job as failed, with its reason."""
    error = json.dumps({"code": code, "message": message, "param": param})
    if move(connection, job_id, "failed", error=error):
        add_event(connection, job_id, "failed", message, level="error", data={"code": code, "param": param})


def add_event(
    connection: sqlite3.Connection,
    job_id: str,
    name: str,
    message: str,
    *,
    level: Literal["info", "warn", "error"] = "info",
    kind: Literal["message", "metrics"] = "message",
    data: JsonObject | None = None,
) -> None:
    """Tells an event, unless one of that name was told of the job before."""
    connection.execute(
        "INSERT OR IGNORE INTO events (id, job, name, created_at, level, type, message, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [new_id("ftevent"), job_id, name, now(), level, kind, message, json.dumps(data or {})],
    )


def described_job(row: sqlite3.Row) -> JsonObject:
    """The job as the API's object."""
    hyperparameters = json.loads(row["hyperparameters"])
    return {
        "object": "fine_tuning.job",
        "id": row["id"],
        "model": row["model"],
        "created_at": row["created_at"],
        "finished_at": row["finished_at"],
        "fine_tuned_model": row["fine_tuned_model"],
        "organization_id": ORGANIZATION,
        "result_files": [row["result_file"]] if row["status"] == "succeeded" else [],
        "status": row["status"],
        "validation_file": row["validation_file"],
        "training_file": row["training_file"],
        "hyperparameters": hyperparameters,
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        "trained_tokens": row["trained_tokens"],
        "error": json.loads(row["error"]) if row["error"] else None,
        "user_provided_suffix": row["suffix"] or None,
        "seed": row["seed"],
        "estimated_finish": row["estimated_finish"],
        "integrations": [],
        "metadata": json.loads(row["metadata"]) if row["metadata"] else None,
    }


def described_event(row: sqlite3.Row) -> JsonObject:
    """The event as the API's object."""
    return {
        "object": "fine_tuning.job.event",
        "id": row["id"],
        "created_at": row["created_at"],
        "level": row["level"],
        "message": row["message"],
        "type": row["type"],
        "data": json.loads(row["data"]),
    }


def described_checkpoint(row: sqlite3.Row) -> JsonObject:
    """The checkpoint as the API's object."""
    return {
        "object": "fine_tuning.job.checkpoint",
        "id": row["id"],
        "created_at": row["created_at"],
        "fine_tuned_model_checkpoint": row["model"],
        "fine_tuning_job_id": row["job"],
        "metrics": json.loads(row["metrics"]),
        "step_number": row["step"],
    }
