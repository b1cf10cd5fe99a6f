"""Tuned models: their list, their end, and the readers that they are."""

from __future__ import annotations

import functools
import os
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from rag_assets.models.embedded.reader.tuned import TunedReader
from rag_assets.models.embedded.tuning.database import Database, StateError
from rag_assets.models.embedded.tuning.ids import now
from rag_assets.models.embedded.wire import JsonObject

_OWNER = "rag-assets"
_CACHED = 8


def has_model(connection: sqlite3.Connection, model_id: str) -> bool:
    """Whether there is a tuned model of this name."""
    return connection.execute("SELECT 1 FROM models WHERE id = ?", [model_id]).fetchone() is not None


def tuned_models(database: Database) -> list[JsonObject]:
    """The tuned models as the API's objects, oldest first; the checkpoints of jobs are among them."""
    with database.reading() as connection:
        rows = connection.execute("SELECT * FROM models ORDER BY seq").fetchall()
    return [{"id": row["id"], "object": "model", "created": row["created_at"], "owned_by": _OWNER} for row in rows]


def tuned_reader(database: Database, model_id: str) -> TunedReader | None:
    """The reader that a tuned model is; None where there is no such model (any more).

    Raises `ModelError` where its files are damaged.
    """
    with database.reading() as connection:
        row = connection.execute("SELECT folder FROM models WHERE id = ?", [model_id]).fetchone()
    if row is None:
        return None
    folder = database.folder / "models" / row["folder"]
    newest = max((each.stat().st_mtime_ns for each in folder.glob("*") if each.is_file()), default=0)
    return _load(folder, newest)


def delete_model(database: Database, model_id: str) -> bool:
    """Takes a tuned model, with the checkpoints of its job, out of service at once; False where there is none."""
    if not database.exists:
        return False
    with database.writing() as connection:
        if not has_model(connection, model_id):
            return False
        below = f"{model_id}:"
        gone = connection.execute(
            "DELETE FROM models WHERE id = ? OR substr(id, 1, ?) = ? RETURNING folder", [model_id, len(below), below]
        ).fetchall()
    remove_readers(database, [row["folder"] for row in gone])
    return True


def remove_readers(database: Database, names: Sequence[str]) -> None:
    """Clears up what no row names any more; where that fails, it lies there and is nothing."""
    for name in names:
        shutil.rmtree(database.folder / "models" / name, ignore_errors=True)


def keep_reader(database: Database, name: str, reader: TunedReader) -> None:
    """Puts a reader into models/`name`, whole or not at all, if it is not there. Raises `StateError`.

    For the process that holds the lock of the job: nobody else writes there.
    """
    folder = database.folder / "models" / name
    beside = folder.with_name(f".{name}")
    if folder.exists():
        return
    try:
        shutil.rmtree(beside, ignore_errors=True)
        reader.save(beside)
        for file in beside.iterdir():
            _flush(file)
        beside.rename(folder)
    except OSError as error:
        raise StateError(f"{folder} cannot be written: {error.strerror}.", fix="Check the free disk space.") from error


def insert_model(connection: sqlite3.Connection, model_id: str, job_id: str, name: str) -> None:
    """Puts the reader in models/`name` into service."""
    connection.execute(
        "INSERT OR IGNORE INTO models (id, created_at, job, folder) VALUES (?, ?, ?, ?)",
        [model_id, now(), job_id, name],
    )


@functools.lru_cache(maxsize=_CACHED)
def _load(folder: Path, _changed_ns: int) -> TunedReader:
    return TunedReader.load(folder)


def _flush(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
