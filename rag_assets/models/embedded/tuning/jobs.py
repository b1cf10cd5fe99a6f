"""/v1/fine_tuning/jobs: what is asked of jobs. Asking sees to it that a job which should be trained is trained."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from pathlib import Path

from rag_assets.config import EMBEDDED_CHAT_MODEL
from rag_assets.models.embedded.tuning.database import Database, StateError
from rag_assets.models.embedded.tuning.files import UPLOADED, content_path
from rag_assets.models.embedded.tuning.ids import new_id, new_letters, now
from rag_assets.models.embedded.tuning.models import has_model
from rag_assets.models.embedded.tuning.paging import Query, listed, page_limit, select_page
from rag_assets.models.embedded.tuning.parameters import JobRequest, parse_job_request
from rag_assets.models.embedded.tuning.records import (
    ACTIVE,
    add_event,
    described_checkpoint,
    described_event,
    described_job,
    job_row,
    move,
)
from rag_assets.models.embedded.tuning.supervision import JobFolder, attend
from rag_assets.models.embedded.wire import JsonObject, Reply, WireError, json_reply

_PAGE, _MOST_LISTED = 20, 100
_CHECKPOINTS_PAGE = 10


def create_job(database: Database, request: JsonObject) -> Reply:
    """Takes a job and starts it. Every request is a job of its own. Raises `WireError`."""
    asked = parse_job_request(request)
    with database.reading() as connection:
        _check_references(connection, asked)
    job_id = new_id("ftjob")
    folder = JobFolder(database.folder, job_id)
    _copy(content_path(database, asked.training_file), folder.training_file, asked.training_file, "training_file")
    if asked.validation_file:
        _copy(
            content_path(database, asked.validation_file),
            folder.validation_file,
            asked.validation_file,
            "validation_file",
        )
    with database.writing() as connection:
        _insert(connection, job_id, asked)
    attend(database, job_id)
    return _reply(database, job_id)


def retrieve_job(database: Database, job_id: str) -> Reply:
    """How the job is; raises `WireError`."""
    attend(database, job_id)
    return _reply(database, job_id)


def list_jobs(database: Database, query: Query) -> Reply:
    """The jobs, newest first; `metadata[KEY]=VALUE` leaves those that have it, `metadata=null` those with none.

    Raises `WireError`.
    """
    limit = page_limit(query, default=_PAGE, most=_MOST_LISTED)
    wanted = {key[9:-1]: value for key, value in query.items() if key.startswith("metadata[") and key.endswith("]")}
    with database.reading() as connection:
        marks = ", ".join("?" for _ in ACTIVE)
        active = connection.execute(f"SELECT id FROM jobs WHERE status IN ({marks})", ACTIVE).fetchall()  # noqa: S608
    for row in active:
        attend(database, row["id"])
    with database.reading() as connection:
        rows, more = _page_with(connection, query, wanted, limit)
    return json_reply(listed([described_job(row) for row in rows], more=more))


def cancel_job(database: Database, job_id: str) -> Reply:
    """Stops the job; its process notices before its next step. Raises `WireError` where it has ended."""
    with database.writing() as connection:
        status = job_row(connection, job_id)["status"]
        if not move(connection, job_id, "cancelled"):
            raise WireError(
                f"Job {job_id} has already ended: it is {status}.", param="fine_tuning_job_id", code="invalid_job_state"
            )
        add_event(connection, job_id, "cancelled", "The job was cancelled")
    JobFolder(database.folder, job_id).clear()
    return _reply(database, job_id)


def list_events(database: Database, job_id: str, query: Query) -> Reply:
    """What happened, newest first; raises `WireError`."""
    attend(database, job_id)
    limit = page_limit(query, default=_PAGE, most=_MOST_LISTED)
    with database.reading() as connection:
        rows, more = select_page(connection, "events", query, where={"job": job_id}, limit=limit)
    return json_reply(listed([described_event(row) for row in rows], more=more))


def list_checkpoints(database: Database, job_id: str, query: Query) -> Reply:
    """The checkpoints, newest first; raises `WireError`."""
    attend(database, job_id)
    limit = page_limit(query, default=_CHECKPOINTS_PAGE, most=_MOST_LISTED)
    with database.reading() as connection:
        rows, more = select_page(connection, "checkpoints", query, where={"job": job_id}, limit=limit)
    return json_reply(listed([described_checkpoint(row) for row in rows], more=more))


def _check_references(connection: sqlite3.Connection, asked: JobRequest) -> None:
    for param, file_id in (("training_file", asked.training_file), ("validation_file", asked.validation_file)):
        if file_id is None:
            continue
        row = connection.execute("SELECT purpose FROM files WHERE id = ?", [file_id]).fetchone()
        if row is None or row["purpose"] != UPLOADED:
            raise _no_file(file_id, param)
    if asked.model != EMBEDDED_CHAT_MODEL and not has_model(connection, asked.model):
        raise WireError(
            f"`{asked.model}` cannot be fine-tuned; `{EMBEDDED_CHAT_MODEL}` and models tuned from it can.",
            param="model",
            code="model_not_available",
        )


def _no_file(file_id: str, param: str) -> WireError:
    return WireError(f"invalid {param}: {file_id} is no file for fine-tuning", param=param, code="invalid_file")


def _copy(source: Path, target: Path, file_id: str, param: str) -> None:
    """Keeps what the job trains on, whatever becomes of the upload. The content of a file never changes."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            os.link(source, target)
            return
        shutil.copyfile(source, target)  # where the file system has no links
    except FileNotFoundError:
        raise _no_file(file_id, param) from None
    except OSError as error:
        raise StateError(f"{target} cannot be written: {error.strerror}.", fix="Check the free disk space.") from error


def _insert(connection: sqlite3.Connection, job_id: str, asked: JobRequest) -> None:
    row = {
        "id": job_id,
        "created_at": now(),
        "model": asked.model,
        "training_file": asked.training_file,
        "validation_file": asked.validation_file,
        "seed": asked.seed,
        "suffix": asked.suffix,
        "letters": new_letters(8),
        "metadata": None if asked.metadata is None else json.dumps(asked.metadata),
        "hyperparameters": json.dumps(asked.hyperparameters),
        "status": "validating_files",
        "result_file": new_id("file"),
    }
    names, marks = ", ".join(row), ", ".join("?" for _ in row)
    connection.execute(f"INSERT INTO jobs ({names}) VALUES ({marks})", list(row.values()))  # noqa: S608
    add_event(connection, job_id, "created", f"Created fine-tuning job: {job_id}")
    files = f"training file: {asked.training_file}"
    if asked.validation_file:
        files += f" and validation file: {asked.validation_file}"
    add_event(connection, job_id, "validating", f"Validating {files}")


def _reply(database: Database, job_id: str) -> Reply:
    with database.reading() as connection:
        return json_reply(described_job(job_row(connection, job_id)))


def _page_with(
    connection: sqlite3.Connection, query: Query, wanted: dict[str, str], limit: int
) -> tuple[list[sqlite3.Row], bool]:
    """A page of the jobs whose metadata holds all that is `wanted`."""
    without = query.get("metadata") == "null"
    if not wanted and not without:
        return select_page(connection, "jobs", query, where={}, limit=limit)
    everything = connection.execute("SELECT COUNT(*) FROM jobs").fetchone()[0]
    rows, _ = select_page(connection, "jobs", query, where={}, limit=everything)
    known = [(row, json.loads(row["metadata"] or "{}")) for row in rows]
    fitting = [row for row, metadata in known if wanted.items() <= metadata.items() and not (without and metadata)]
    return fitting[:limit], len(fitting) > limit
