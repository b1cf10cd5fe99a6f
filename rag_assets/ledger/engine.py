"""The connection to the ledger's database: opening, migrating, transactions, and errors in our own words.

SQLite runs in WAL mode with foreign keys on; a writer takes the write lock when its transaction begins, so that two
writers wait for each other instead of failing half-way. `synchronous` stays FULL, SQLite's default: what was paid for
survives a power cut. Where its disk is full or read-only, SQLite can be read as it stands. The URL may hold a
password, which no message repeats.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from rag_assets.errors import LedgerError, LedgerUnwritableError, MissingDependencyError
from rag_assets.ledger.tables import SCHEMA_VERSION

if TYPE_CHECKING:
    from filelock import BaseFileLock

BUSY_TIMEOUT_SECONDS = 30
CONNECT_TIMEOUT_SECONDS = 10
MIGRATION_TIMEOUT_SECONDS = 120
UNWRITABLE = ("disk is full", "readonly database", "disk I/O error", "unable to open database file")
"""What SQLite says when its disk is full, read-only or failing."""
MIGRATION_LOCK_KEY = 0x7261675F  # any constant: names this ledger's migration among PostgreSQL's advisory locks


class Database:
    """One database with the ledger's schema. Safe to share among threads; open anew in a forked process.

    Raises `LedgerError` when it cannot be opened, read or written, or when its schema is newer than this code.
    """

    def __init__(self, url: str) -> None:
        self._url = _parse(url)
        self._is_sqlite = self._url.get_backend_name() == "sqlite"
        self._engine = _create_engine(self._url)
        self._writer = self._engine.execution_options(ledger_begin="BEGIN IMMEDIATE")
        try:
            try:
                self._bring_up_to_date()
            except LedgerUnwritableError as error:
                self._open_as_it_stands(error)
        except BaseException:
            self._engine.dispose()
            raise

    @property
    def location(self) -> str:
        """Where the ledger is, without its password: fit for a message."""
        return self._url.database or "" if self._is_sqlite else self._url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Closes every connection. The object can be used again; it then opens new ones."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view of the ledger for one group of reads."""
        with self._own_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: committed when the block ends, rolled back when it raises."""
        with self._own_errors(), self._writer.begin() as connection:
            yield connection

    def upsert(
        self,
        connection: Connection,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        *,
        update: Mapping[str, Any] | Iterable[str] = (),
    ) -> None:
        """Inserts `rows`. Where a primary key exists, sets the columns `update` only: their names, or expressions.

        Without `update`, a row that clashes with any unique key is left out.
        """
        if self._is_sqlite:
            from sqlalchemy.dialects.sqlite import insert as sqlite_insert

            statement: Any = sqlite_insert(table)
        else:
            from sqlalchemy.dialects.postgresql import insert as postgresql_insert

            statement = postgresql_insert(table)
        keys = [column.name for column in table.primary_key]
        changes = dict(update) if isinstance(update, Mapping) else {name: statement.excluded[name] for name in update}
        if changes:
            statement = statement.on_conflict_do_update(index_elements=keys, set_=changes)
        else:
            statement = statement.on_conflict_do_nothing()
        connection.execute(statement, [dict(row) for row in rows])

    def _bring_up_to_date(self) -> None:
        if self._is_sqlite:
            self._make_folder()
            file = Path(self._url.database or "")
            # A file that another process is just creating is read under the lock only: see `_migrating`.
            stored = self._stored_version() if file.exists() and file.stat().st_size else None
        else:
            stored = self._stored_version()
        if stored != SCHEMA_VERSION:
            self._refuse_newer(stored)
            self._migrate()

    def _open_as_it_stands(self, refused: LedgerUnwritableError) -> None:
        """Reads the file without the two files that SQLite makes beside it, which its disk does not take.

        Only where no such file holds newer rows: what was revoked must not be answered from. Raises `refused`.
        """
        file = Path(self._url.database or "")
        log = file.with_name(f"{file.name}-wal")
        if not file.is_file() or (log.exists() and log.stat().st_size):
            raise refused
        self._engine.dispose()
        self._engine = _engine_as_it_stands(file)
        self._writer = self._engine.execution_options(ledger_begin="BEGIN IMMEDIATE")
        if self._stored_version() != SCHEMA_VERSION:
            raise refused

    def _make_folder(self) -> None:
        folder = Path(self._url.database or "").parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(
                f"The ledger's folder {folder} cannot be created: {error.strerror}.",
                fix="Make its parent writable, or set data_dir to another folder.",
            ) from None

    def _stored_version(self) -> str | None:
        with self.reading() as connection:
            return _read_version(connection)

    def _refuse_newer(self, stored: str | None) -> None:
        if stored is not None and stored > SCHEMA_VERSION:
            raise LedgerError(
                f"The ledger {self.location} has schema {stored}, and this version of rag_assets knows up to "
                f"{SCHEMA_VERSION}.",
                fix="Update rag_assets, or restore the ledger's backup from before the update.",
            )

    def _migrate(self) -> None:
        with self._own_errors(), self._migrating() as connection:
            stored = _read_version(connection)  # again: another process may have migrated while this one waited
            self._refuse_newer(stored)
            if stored == SCHEMA_VERSION:
                return
            from alembic import command
            from alembic.config import Config

            config = Config()
            scripts = Path(__file__).parent / "migrations"
            config.set_main_option("script_location", str(scripts).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, SCHEMA_VERSION)

    @contextmanager
    def _migrating(self) -> Iterator[Connection]:
        """A transaction in which no other process migrates."""
        if not self._is_sqlite:
            with self._writer.begin() as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK_KEY})
                yield connection
            return
        lock = self._lock_migrations()
        try:
            # The mode stays in the file. Two processes that switch it at once would fail, hence under the lock.
            with self._engine.execution_options(ledger_begin="").connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            with self._writer.begin() as connection:
                yield connection
        finally:
            lock.release()

    def _lock_migrations(self) -> BaseFileLock:
        from filelock import FileLock, Timeout

        lock = FileLock(f"{self._url.database}.migration-lock", timeout=MIGRATION_TIMEOUT_SECONDS)
        try:
            lock.acquire()
        except Timeout:
            raise LedgerError(
                f"Another process has been migrating the ledger {self.location} for {MIGRATION_TIMEOUT_SECONDS} s.",
                fix="Wait for it, or end it, and try again.",
            ) from None
        except OSError as error:
            raise LedgerError(
                f"The ledger {self.location} cannot be written: {error.strerror}.", fix="Make its folder writable."
            ) from None
        return lock

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            lines = str(cause).strip().splitlines() or [type(cause).__name__]
            said = lines[0].rstrip(".")
            if password := self._url.password:
                said = said.replace(str(password), "***")
            # `from None`: the driver's own text may repeat the URL, and a run's event log keeps the whole chain.
            kind = LedgerUnwritableError if self._is_sqlite and said.endswith(UNWRITABLE) else LedgerError
            raise kind(f"The ledger {self.location} failed: {said}.", fix=self._advice(said)) from None

    def _advice(self, said: str) -> str:
        if not self._is_sqlite:
            return "Check that the server runs and that the URL's host, database, user and password are right."
        if "locked" in said:
            return "Another process holds it; find that process, or try again."
        if "not a database" in said or "malformed" in said:
            return "Restore the file from a backup, or move it away to start an empty ledger."
        return "Check the file's permissions and the free space of its disk."


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise LedgerError(
            "The ledger's URL is not a SQLAlchemy URL.",
            fix="Write it as sqlite:///path/to/ledger.sqlite or postgresql://user:password@host/database.",
        ) from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise LedgerError(f"The ledger cannot be kept in {backend}.", fix="Use SQLite or PostgreSQL.")
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise LedgerError("The ledger's URL names no file.", fix="Write it as sqlite:///path/to/ledger.sqlite.")
    return parsed


def _create_engine(url: URL) -> Engine:
    try:
        if url.get_backend_name() != "sqlite":
            wait = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_TIMEOUT_SECONDS}
            return create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=wait)
        engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    except NoSuchModuleError:
        raise LedgerError(f"There is no database driver named {url.drivername}.", fix="Use postgresql://…") from None
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"The ledger's URL needs the package {error.name}.", fix='Run: pip install "rag_assets[postgres]"'
        ) from None
    event.listen(engine, "connect", _on_sqlite_connect)
    event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _engine_as_it_stands(file: Path) -> Engine:
    """An engine that reads a SQLite file which nobody writes, and refuses to write."""
    import sqlite3
    from urllib.parse import quote

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"file:{quote(str(file))}?immutable=1", uri=True, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
    event.listen(engine, "connect", _on_sqlite_connect)
    event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _on_sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # `_on_sqlite_begin` says BEGIN; the driver's own would come too late
    connection.execute("PRAGMA foreign_keys = ON")


def _on_sqlite_begin(connection: Connection) -> None:
    if statement := connection.get_execution_options().get("ledger_begin", "BEGIN"):
        connection.exec_driver_sql(statement)


def _read_version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)
