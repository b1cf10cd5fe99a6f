"""The SQLite file in which the embedded provider keeps what it knows of files, jobs and models.

Each use opens a connection of its own, so that threads, forks and pickles share nothing. Writers take the file for
themselves at once (BEGIN IMMEDIATE): what a transaction reads is what it changes. With `durable` a transaction is on
the disk when it ends; without, a loss of power may take the last ones back, a crash of the process may not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rag_assets.errors import ModelError

BUSY_TIMEOUT_SECONDS = 30.0
_VERSION = 1
_SCHEMA = """
CREATE TABLE files (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL,
    filename TEXT NOT NULL, purpose TEXT NOT NULL, bytes INTEGER NOT NULL
);
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL,
    model TEXT NOT NULL, training_file TEXT NOT NULL, validation_file TEXT, seed INTEGER NOT NULL, suffix TEXT NOT NULL,
    letters TEXT NOT NULL UNIQUE, metadata TEXT, hyperparameters TEXT NOT NULL, status TEXT NOT NULL, error TEXT,
    finished_at INTEGER, estimated_finish INTEGER, trained_tokens INTEGER, fine_tuned_model TEXT, result_file TEXT,
    spawns INTEGER NOT NULL DEFAULT 0, spawns_at_progress INTEGER NOT NULL DEFAULT 0, spawned_at REAL,
    reached_step INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, job TEXT NOT NULL, name TEXT NOT NULL,
    created_at INTEGER NOT NULL, level TEXT NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL, data TEXT NOT NULL,
    UNIQUE (job, name)
);
CREATE TABLE checkpoints (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, job TEXT NOT NULL, step INTEGER NOT NULL,
    created_at INTEGER NOT NULL, model TEXT NOT NULL, metrics TEXT NOT NULL, UNIQUE (job, step)
);
CREATE TABLE models (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL, job TEXT NOT NULL,
    folder TEXT NOT NULL
);
"""
_MADE = f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;"


class StateError(ModelError):
    """What the embedded provider keeps on disk cannot be read or written; `fix` says what to look at."""


@dataclass(frozen=True, slots=True)
class Database:
    """The state in `folder`, which is made when the first thing is to be kept, unless it `must_exist`.

    A process that works for a folder must not bring it back when somebody deletes it.
    """

    folder: Path
    must_exist: bool = False

    @property
    def file(self) -> Path:
        """Where the rows are."""
        return self.folder / "state.sqlite"

    @property
    def exists(self) -> bool:
        """Whether anything was ever kept here."""
        return self.file.exists()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A view of the rows as they are now. Raises `StateError`."""
        with self._own_errors(), closing(self._connect(reading=True)) as connection:
            connection.execute("BEGIN")
            yield connection
            connection.execute("ROLLBACK")

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction, undone where its block raises. Raises `StateError`."""
        with self._own_errors(), closing(self._connect()) as connection:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def held_open(self) -> Iterator[None]:
        """While this lasts, the end of a transaction need not tidy the file up, as the last user of it does."""
        with self._own_errors():
            connection = self._connect()
        with closing(connection):
            yield

    def _connect(self, *, reading: bool = False) -> sqlite3.Connection:
        if not self.exists and self.must_exist:
            raise StateError(f"{self.folder} is gone.", fix="Start the job again, if it is still wanted.")
        file: Path | str = self.file
        if not self.exists and reading:
            file = ":memory:"  # as empty as the folder will be
        elif not self.exists:
            self._create()
        connection = sqlite3.connect(file, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
        connection.row_factory = sqlite3.Row
        if file == ":memory:":
            connection.executescript(_MADE)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != _VERSION:
            connection.close()
            raise StateError(
                f"{self.file} has format {version}, and this version of rag_assets reads {_VERSION}.",
                fix="Use the version that wrote it, or move the folder away to start anew.",
            )
        return connection

    def _create(self) -> None:
        """Makes the file whole beside its place, so that nobody meets a half of it."""
        from filelock import FileLock

        self.folder.mkdir(parents=True, exist_ok=True)
        beside = self.file.with_name("state.new.sqlite")
        with FileLock(f"{self.file}.lock", timeout=BUSY_TIMEOUT_SECONDS):
            if self.file.exists():
                return
            beside.unlink(missing_ok=True)
            with closing(sqlite3.connect(beside, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")  # stays in the file; its log ends with the connection
                connection.executescript(_MADE)
            beside.rename(self.file)

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StateError(
                f"{self.file} cannot be used: {error}.", fix="Check its folder's permissions and the free disk space."
            ) from error
        except OSError as error:
            raise StateError(
                f"{error.filename or self.folder} cannot be used: {error.strerror or error}.",
                fix="Check its permissions and the free disk space.",
            ) from error
