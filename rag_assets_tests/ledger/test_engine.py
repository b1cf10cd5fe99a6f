from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from rag_assets.errors import LedgerError, MissingDependencyError
from rag_assets.ledger import FailedDocument, Ledger
from rag_assets.ledger.columns import AnyText, UtcDateTime, metadata
from rag_assets_tests.ledger.conftest import why_no_postgres

OPENERS = 4
ROUNDS = 5


def _stored_version(ledger: Ledger) -> str:
    with ledger.reading() as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def test_postgresql_is_tested_too(request: pytest.FixtureRequest):
    if reason := why_no_postgres():
        pytest.skip(reason)
    with Ledger(request.getfixturevalue("postgres_url")) as ledger, ledger.reading() as connection:
        assert connection.dialect.name == "postgresql"


def test_migrations_build_exactly_the_tables(ledger: Ledger):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with ledger.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_schema_version_is_the_newest_migration(ledger: Ledger):
    from alembic.script import ScriptDirectory

    import rag_assets.ledger

    scripts = ScriptDirectory(str(Path(rag_assets.ledger.__file__).parent / "migrations"))
    assert scripts.get_current_head() == _stored_version(ledger)


def test_opening_again_keeps_what_is_there(ledger_url: str):
    with Ledger(ledger_url) as first:
        first.deny_source("handbook", "withdrawn")
    with Ledger(ledger_url) as second:
        assert second.denied().sources == {"handbook"}


def test_a_current_ledger_opens_without_alembic(sqlite_url: str):
    Ledger(sqlite_url).close()
    program = f"""
import sys
from rag_assets.ledger import Ledger
with Ledger({sqlite_url!r}) as ledger:
    ledger.denied()
heavy = [name for name in ("alembic", "sqlalchemy.orm", "openai", "pyarrow", "pydantic") if name in sys.modules]
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_newer_schema_is_refused_and_left_alone(ledger_url: str):
    with Ledger(ledger_url) as ledger, ledger.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerError, match="schema 9999") as caught:
        Ledger(ledger_url)
    assert "Update rag_assets" in caught.value.fix


def _open_in_step(barrier: Barrier, folder: str) -> None:
    for turn in range(ROUNDS):
        barrier.wait(timeout=60)
        with Ledger(f"sqlite:///{folder}/{turn}/ledger.sqlite") as ledger:
            ledger.record_failures("handbook", [FailedDocument("a.md", "d", "load", "unreadable")])


def test_processes_that_open_a_new_ledger_at_once_do_not_clash(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(OPENERS)
    openers = [context.Process(target=_open_in_step, args=(barrier, str(tmp_path))) for _ in range(OPENERS)]
    for process in openers:
        process.start()
    for process in openers:
        process.join(timeout=120)
    assert [process.exitcode for process in openers] == [0] * OPENERS
    for turn in range(ROUNDS):
        with Ledger(f"sqlite:///{tmp_path}/{turn}/ledger.sqlite") as ledger:
            assert [failure.attempts for failure in ledger.failures()] == [OPENERS]


def test_threads_that_open_a_new_ledger_at_once_do_not_clash(ledger_url: str):
    with ThreadPoolExecutor(4) as threads:
        opened = list(threads.map(Ledger, [ledger_url] * 4))
    for ledger in opened:
        assert ledger.serving() is None
        ledger.close()


def test_sqlite_is_set_up_for_several_processes(sqlite_url: str):
    with Ledger(sqlite_url) as ledger, ledger.reading() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 30_000


def test_a_transaction_that_raises_leaves_nothing(ledger: Ledger):
    with pytest.raises(RuntimeError), ledger.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'half-way'"))
        raise RuntimeError
    assert _stored_version(ledger) != "half-way"


def test_a_file_that_is_no_database(tmp_path: Path):
    file = tmp_path / "ledger.sqlite"
    file.write_bytes(b"these are not the bytes of a database" * 100)
    with pytest.raises(LedgerError, match="not a database") as caught:
        Ledger(f"sqlite:///{file}")
    assert "backup" in caught.value.fix


def test_a_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LedgerError, match="cannot be created"):
        Ledger(f"sqlite:///{tmp_path}/file/ledger.sqlite")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("no url at all", "not a SQLAlchemy URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("mysql://user:hunter2@localhost/ledger", "cannot be kept in mysql"),
        ("postgresql+nosuchdriver://user:hunter2@localhost/ledger", "no database driver"),
    ],
)
def test_urls_that_cannot_be_used(url: str, said: str):
    with pytest.raises(LedgerError, match=said) as caught:
        Ledger(url)
    assert "hunter2" not in str(caught.value)


def test_a_missing_driver_names_the_install_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependencyError, match=r"rag_assets\[postgres\]"):
        Ledger("postgresql://user:hunter2@localhost/ledger")


def test_a_server_that_does_not_answer_is_named_without_its_password():
    pytest.importorskip("psycopg", reason="psycopg is not installed (the `postgres` extra)")
    with pytest.raises(LedgerError) as caught:
        Ledger("postgresql://user:hunter2@127.0.0.1:9/ledger?connect_timeout=2")
    assert "127.0.0.1" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_location_hides_the_password(ledger: Ledger):
    assert "hunter2" not in ledger.location
    assert "ledger" in ledger.location


def test_a_table_lost_is_an_error_of_the_ledger(sqlite_url: str, tmp_path: Path):
    with Ledger(sqlite_url) as ledger:
        connection = sqlite3.connect(tmp_path / "ledger.sqlite")
        connection.execute("DROP TABLE denied_sources")
        connection.close()
        with pytest.raises(LedgerError, match="denied_sources"):
            ledger.denied()


def test_times_need_a_time_zone():
    from datetime import datetime

    from sqlalchemy.dialects import sqlite

    with pytest.raises(ValueError, match="time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), sqlite.dialect())


def test_text_that_no_database_holds_is_made_storable():
    from sqlalchemy.dialects import sqlite

    assert AnyText().process_bind_param("a\0b\ud800c", sqlite.dialect()) == "a\ufffdb?c"


def test_a_fresh_connection_sees_the_same_file(sqlite_url: str):
    with Ledger(sqlite_url) as ledger:
        ledger.deny_source("handbook")
        engine = create_engine(sqlite_url)
        with engine.connect() as connection:
            assert connection.execute(text("SELECT source FROM denied_sources")).scalar() == "handbook"
        engine.dispose()
