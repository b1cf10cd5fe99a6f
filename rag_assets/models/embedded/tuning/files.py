"""/v1/files: uploads for fine-tuning, and the results of jobs."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from rag_assets.models.embedded.tuning.database import Database, StateError
from rag_assets.models.embedded.tuning.ids import new_id, now
from rag_assets.models.embedded.tuning.multipart import parse_form
from rag_assets.models.embedded.tuning.paging import Query, listed, page_limit, select_page
from rag_assets.models.embedded.wire import JsonObject, Reply, WireError, json_reply

UPLOADED, RESULTS = "fine-tune", "fine-tune-results"
LARGEST_FILE_BYTES = 512 * 1024 * 1024
"""OpenAI's limit: https://platform.openai.com/docs/api-reference/files/create"""
_MOST_LISTED = 10_000


def create_file(database: Database, content_type: str, body: bytes) -> Reply:
    """Keeps an upload; raises `WireError`."""
    fields = {part.name: part for part in parse_form(content_type, body)}
    for name in fields.keys() - {"file", "purpose"}:
        raise WireError(f"The embedded provider does not know the parameter `{name}`.", param=name)
    file, purpose = fields.get("file"), fields.get("purpose")
    if purpose is None or purpose.content != UPLOADED.encode():
        raise WireError(f"`purpose` must be `{UPLOADED}`.", param="purpose")
    if file is None or file.filename is None:
        raise WireError("`file` must be a file.", param="file")
    if not file.filename.endswith(".jsonl"):
        raise WireError("A file for fine-tuning is JSON lines, and its name ends in .jsonl.", param="file")
    if not file.content:
        raise WireError("The file is empty.", param="file")
    if len(file.content) > LARGEST_FILE_BYTES:
        raise WireError(f"The file has more than {LARGEST_FILE_BYTES:,} bytes.", status=413, param="file")
    file_id = new_id("file")
    write_content(database, file_id, file.content)
    with database.writing() as connection:
        insert_file(connection, file_id, Path(file.filename).name, UPLOADED, len(file.content))
        return json_reply(_described(_row(connection, file_id)))


def list_files(database: Database, query: Query) -> Reply:
    """The files, newest first unless `order` is `asc`; raises `WireError`."""
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise WireError("`order` must be `asc` or `desc`.", param="order")
    where = {"purpose": query["purpose"]} if "purpose" in query else {}
    limit = page_limit(query, default=_MOST_LISTED, most=_MOST_LISTED)
    with database.reading() as connection:
        rows, more = select_page(connection, "files", query, where=where, limit=limit, ascending=order == "asc")
    return json_reply(listed([_described(row) for row in rows], more=more))


def retrieve_file(database: Database, file_id: str) -> Reply:
    """What is known of a file; raises `WireError`."""
    with database.reading() as connection:
        return json_reply(_described(_row(connection, file_id)))


def file_content(database: Database, file_id: str) -> Reply:
    """The bytes of a file; raises `WireError`. Those of results are base64, as OpenAI serves them."""
    with database.reading() as connection:
        _row(connection, file_id)
    try:
        content = content_path(database, file_id).read_bytes()
    except FileNotFoundError:
        raise _no_such_file(file_id) from None  # deleted just now
    except OSError as error:
        raise StateError(f"The file {file_id} cannot be read: {error.strerror}.", fix="Check the disk.") from error
    return Reply(200, {"content-type": "application/octet-stream"}, content)


def delete_file(database: Database, file_id: str) -> Reply:
    """Deletes a file; a job that was made of it keeps a copy. Raises `WireError`."""
    with database.writing() as connection:
        _row(connection, file_id)
        connection.execute("DELETE FROM files WHERE id = ?", [file_id])
    content_path(database, file_id).unlink(missing_ok=True)
    return json_reply({"id": file_id, "object": "file", "deleted": True})


def content_path(database: Database, file_id: str) -> Path:
    """Where the content of a file lies."""
    return database.folder / "files" / file_id


def write_content(database: Database, file_id: str, content: bytes) -> None:
    """Puts the content of a file in its place, whole or not at all. Raises `StateError`."""
    path = content_path(database, file_id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{file_id}.{os.getpid()}")
        with beside.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(path)
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}.", fix="Check the free disk space.") from error


def insert_file(connection: sqlite3.Connection, file_id: str, filename: str, purpose: str, size_bytes: int) -> None:
    """Adds the row of a file, if it is not there."""
    connection.execute(
        "INSERT OR IGNORE INTO files (id, created_at, filename, purpose, bytes) VALUES (?, ?, ?, ?, ?)",
        [file_id, now(), filename, purpose, size_bytes],
    )


def _row(connection: sqlite3.Connection, file_id: str) -> sqlite3.Row:
    found = connection.execute("SELECT * FROM files WHERE id = ?", [file_id]).fetchone()
    if not isinstance(found, sqlite3.Row):
        raise _no_such_file(file_id)
    return found


def _no_such_file(file_id: str) -> WireError:
    return WireError(f"No such File object: {file_id}", status=404, param="id")


def _described(row: sqlite3.Row) -> JsonObject:
    return {
        "id": row["id"],
        "object": "file",
        "bytes": row["bytes"],
        "created_at": row["created_at"],
        "filename": row["filename"],
        "purpose": row["purpose"],
        "status": "processed",
        "status_details": None,
        "expires_at": None,
    }
