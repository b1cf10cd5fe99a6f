"""A reset ends with nothing of this project stored, and touches nothing of anybody else."""

from __future__ import annotations

from pathlib import Path

import lancedb
import pytest

from rag_assets_tests.cli.command import configure, rag_assets

OWN = {"raw_documents__wiki", "chunks__wiki"}


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A store outside the data folder that holds another's table too."""
    folder = tmp_path / "shared"
    connection = lancedb.connect(folder)
    for name in ("orders", "my_chunks__wiki", *OWN):
        connection.create_table(name, data=[{"n": 1}])
    configure(tmp_path, "wiki", settings=f"store:\n  uri: {folder}")
    return folder


def test_only_own_tables_of_a_store_elsewhere_are_dropped(tmp_path: Path, shared: Path) -> None:
    announced = rag_assets(tmp_path, "reset")
    assert announced.code == 1
    assert f"the table chunks__wiki in {shared}" in announced.error
    assert "orders" not in announced.error
    ran = rag_assets(tmp_path, "reset", "--yes", "--json")
    assert (ran.code, set(ran.json["tables"]), ran.json["kept"]) == (0, OWN, [])
    assert sorted(lancedb.connect(shared).list_tables().tables) == ["my_chunks__wiki", "orders"]
    assert not (tmp_path / ".rag_assets/locks").exists()
    assert rag_assets(tmp_path, "reset", "--yes", "--json").json["tables"] == []


def test_training_files_and_tuned_readers_go_with_the_ledger_that_knows_them(tmp_path: Path) -> None:
    configure(tmp_path, "wiki")
    own = [tmp_path / ".rag_assets" / name for name in ("training_files", "embedded")]
    for folder in own:
        (folder / "kept").mkdir(parents=True)
    ran = rag_assets(tmp_path, "reset", "--yes", "--json")
    assert (ran.code, ran.json["deleted"]) == (0, list(map(str, own)))
    assert not any(folder.exists() for folder in own)


def test_what_stays_is_said(tmp_path: Path) -> None:
    configure(tmp_path, "wiki", settings="ledger:\n  url_env: TEAM_LEDGER")
    home = tmp_path / "home"
    home.mkdir()
    environment = {"DAGSTER_HOME": str(home), "TEAM_LEDGER": "postgresql://u:S3CRET@127.0.0.1:9/db"}
    announced = rag_assets(tmp_path, "reset", **environment)
    assert f"It would leave the run history in DAGSTER_HOME {home} and the ledger that TEAM_LEDGER" in announced.error
    ran = rag_assets(tmp_path, "reset", "--yes", **environment)
    assert ran.code == 0
    assert f"Left: the run history in DAGSTER_HOME {home}." in ran.out
    assert "Left: the ledger that TEAM_LEDGER names" in ran.out
    assert "S3CRET" not in announced.error + ran.out
    assert home.is_dir()


def test_a_store_that_cannot_be_listed_is_one_line_and_nothing_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", "utf-8")
    configure(tmp_path, "wiki", settings=f"store:\n  uri: {tmp_path / 'file'}")
    locks = tmp_path / ".rag_assets/locks"
    locks.mkdir(parents=True)
    ran = rag_assets(tmp_path, "reset", "--yes")
    assert ran.code == 1
    assert f"{tmp_path / 'file'} cannot be" in ran.error
    assert locks.is_dir()
