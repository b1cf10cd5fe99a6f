"""What a killed process held is no lock: the next run takes it over without waiting for anybody."""

from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Event
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import func, select

from rag_assets.cli.instance import dagster_home
from rag_assets.ledger import Ledger, engine
from rag_assets.ledger.tables import embedding_claims
from rag_assets.project import Project
from rag_assets_tests.integration.crash.drill import Drill, drill

IMPATIENT = {"RAG_ASSETS__STORE__LOCK_TIMEOUT_SECONDS": "0"}
"""Whoever has to wait for the lock of a table fails at once."""


def hold_migration(file: Path, held: Event) -> None:
    """Migrates a new ledger, and never ends."""
    database = Ledger.__new__(Ledger)
    database._url = engine._parse(f"sqlite:///{file}")
    database._is_sqlite = True
    database._engine = engine._create_engine(database._url)
    database._writer = database._engine.execution_options(ledger_begin="BEGIN IMMEDIATE")
    with database._migrating():
        held.set()
        Event.wait(multiprocessing.get_context("spawn").Event())


def test_a_migration_that_was_killed_is_done_by_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn = multiprocessing.get_context("spawn")
    held = spawn.Event()
    holder = spawn.Process(target=hold_migration, args=(tmp_path / "ledger.sqlite", held))
    holder.start()
    assert held.wait(timeout=60)
    holder.kill()
    holder.join()
    assert (tmp_path / "ledger.sqlite.migration-lock").exists()
    monkeypatch.setattr(engine, "MIGRATION_TIMEOUT_SECONDS", 0)
    with Ledger(f"sqlite:///{tmp_path}/ledger.sqlite") as ledger:
        assert ledger.serving() is None


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("place", "holds"),
    [
        ("embeddings.between_intent_and_call", {"claims", "spool", "run"}),
        ("embeddings.between_received_and_stored", {"claims", "spool", "run"}),
        ("store.between_upsert_and_delete@1", {"table", "run"}),
        ("store.between_upsert_and_delete@2", {"table", "run"}),
        ("snapshot.between_pin_and_ledger", {"table", "run"}),
    ],
)
def test_what_a_killed_run_held_is_taken_over(place: str, holds: set[str], tmp_path: Path) -> None:
    with drill(tmp_path, 11, ("atlas",), **IMPATIENT) as one:
        one.corpus.edit()
        one.kill(failpoint=place)
        assert left_behind(one) == holds
        one.finish()
        assert left_behind(one) == set()
        assert waits(one) == []


def left_behind(one: Drill) -> set[str]:
    """Which marks of holders there are, alive or dead."""
    with Project.open(one.config_file) as project:
        names = [path.stem for path in (project.settings.data_path / "locks").rglob("*.pid")]
        tables = project.store.table_names()
        with project.ledger.reading() as connection:
            claims = connection.execute(select(func.count()).select_from(embedding_claims)).scalar_one()
        marks = {
            "table": any(name in tables for name in names),
            "run": any(name not in tables for name in names),
            "claims": claims > 0,
            "spool": any(project.spool_dir.rglob("*.lock")),
        }
    return {name for name, is_there in marks.items() if is_there}


def waits(one: Drill) -> list[str]:
    """What any run told of waiting for another."""
    with (
        Project.open(one.config_file) as project,
        dg.DagsterInstance.from_config(str(dagster_home(project.settings))) as instance,
    ):
        runs = instance.get_runs()
        told = (entry.user_message for run in runs for entry in instance.all_logs(run.run_id))
        return [message for message in told if "waits for" in message or "by another run" in message]
