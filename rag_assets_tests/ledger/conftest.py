"""A ledger on SQLite and one on a real PostgreSQL server; the second is left out where none can be had."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

from rag_assets.ledger import Ledger

POSTGRES_URL_VARIABLE = "RAG_ASSETS_TEST_POSTGRES_URL"


def _server_programs() -> Path | None:
    on_path = shutil.which("initdb")
    installed = [Path(on_path).resolve().parent] if on_path else []
    installed += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in installed if (folder / "postgres").exists()), None)


def _unprivileged_user() -> str | None:
    return next((entry.pw_name for entry in pwd.getpwall() if entry.pw_name == "postgres"), None)


def why_no_postgres() -> str | None:
    """Why the tests cannot run on PostgreSQL here; None when they can."""
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed (the `postgres` extra)"
    if os.environ.get(POSTGRES_URL_VARIABLE):
        return None
    if _server_programs() is None:
        return f"no PostgreSQL server is installed, and {POSTGRES_URL_VARIABLE} is not set"
    if os.geteuid() == 0 and _unprivileged_user() is None:
        return "PostgreSQL does not run as root, and there is no user `postgres` to run it as"
    return None


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a database on a PostgreSQL server: the one the environment names, or one started for these tests."""
    if given := os.environ.get(POSTGRES_URL_VARIABLE):
        yield given
        return
    programs = _server_programs()
    assert programs is not None
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        yield from _running_server(programs, Path(folder))


# Left out as a whole where there is no server, and reported once, by `test_postgresql_is_tested_too`.
@pytest.fixture(params=["sqlite"] if why_no_postgres() else ["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, or of an empty schema of a PostgreSQL database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.sqlite'}"
        return
    server = make_url(request.getfixturevalue("postgres_url")).set(drivername="postgresql+psycopg")
    name = f"ledger_{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    own = server.update_query_dict({"options": f"-csearch_path={name}"})
    yield own.render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
    engine.dispose()


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """An empty ledger on either backend."""
    with Ledger(ledger_url) as opened:
        yield opened


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.sqlite'}"


def _running_server(programs: Path, folder: Path) -> Iterator[str]:
    user = _unprivileged_user() if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    data = folder / "data"

    def run(*command: str) -> None:
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL, timeout=60)

    control = str(programs / "pg_ctl")
    run(str(programs / "initdb"), "-D", str(data), "-U", "tester", "-A", "trust", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    run(control, "start", "-w", "-D", str(data), "-l", str(folder / "server.log"), "-o", options)
    try:
        yield f"postgresql://tester@/postgres?host={folder}"
    finally:
        run(control, "stop", "-m", "immediate", "-D", str(data))
