"""What failing storage looks like when Dagster meets it: its own records raise errors of the database, or of the disk.

Our tables and our ledger say such things in words of their own (`StoreError`, `LedgerError`).
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator

from rag_assets.errors import DISK_ERRORS, RagAssetsError, RecordsError

READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
FIX = "Make room, or make DAGSTER_HOME writable, and run this again. What was finished before is kept."


def storage_fault(error: BaseException) -> RagAssetsError | None:
    """What a user is told when `error` comes from a disk that is full, read-only or gone; None for any other error."""
    for cause in _causes(error):
        if isinstance(cause, RagAssetsError):
            return cause
        if isinstance(cause, sqlite3.OperationalError):
            return RecordsError(f"Dagster's records of its runs cannot be used: {str(cause).rstrip('.')}.", fix=FIX)
        if isinstance(cause, OSError) and cause.errno in (*DISK_ERRORS, *READ_ONLY):
            where = f" {cause.filename}" if cause.filename else ""
            return RecordsError(f"The disk cannot be written{where}: {cause.strerror}.", fix=FIX)
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error`, and what it was raised from or while handling, innermost last; each once."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        cause = todo.pop()
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        todo += [cause.__context__, cause.__cause__, getattr(cause, "orig", None)]
