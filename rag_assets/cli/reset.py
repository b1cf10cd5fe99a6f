"""`rag-assets reset`: forget everything that was ingested."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag_assets.cli.output import JsonOption, print_json, say

if TYPE_CHECKING:
    from rag_assets.config import Settings
    from rag_assets.store import Store

OWN_NAMES = (
    "lancedb", "ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "ledger.sqlite.migration-lock", "locks",
    "spool", "dagster", "reports", "training_files", "embedded",
)  # fmt: skip


def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this nothing is deleted.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete the tables, the ledger, the run history, training files and tuned readers of this project.

    Documents, examples and models at other providers are not touched.

    Of a store.uri elsewhere only this project's tables go. A ledger on a server and a DAGSTER_HOME elsewhere stay.

    Example: rag-assets reset --yes
    """
    from rag_assets.config_file import load_settings
    from rag_assets.errors import ConfigurationError
    from rag_assets.store.maintenance import own_tables

    settings = load_settings()
    store = _store_elsewhere(settings)
    tables = own_tables(store) if store else []
    present = [path for path in _own_paths(settings) if path.exists()]
    kept = _kept(settings)
    if not yes:
        named = [*map(str, present), *(f"the table {name} in {settings.store_uri}" for name in tables)]
        stays = f" It would leave {' and '.join(kept)}." if kept else ""
        raise ConfigurationError(
            f"This would delete: {', '.join(named) or 'nothing'}.{stays}", fix="Add --yes to do it."
        )
    for name in tables:
        if store:
            store.drop(name)
    present = [path for path in _own_paths(settings) if path.exists()]  # again: dropping a table made its lock
    for path in present:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if as_json:
        print_json({"deleted": [str(path) for path in present], "tables": tables, "kept": kept})
        return
    say(f"Deleted {len(present)} paths under {settings.data_path}." if present else "There was nothing to delete here.")
    if tables:
        say(f"Deleted {len(tables)} tables in {settings.store_uri}.")
    for what in kept:
        say(f"Left: {what}. Empty it yourself where it should go too.")


def _own_paths(settings: Settings) -> list[Path]:
    """Only what this project writes below its data folder; a folder that the user chose elsewhere is never deleted."""
    return [settings.data_path / name for name in OWN_NAMES]


def _store_elsewhere(settings: Settings) -> Store | None:
    """The store when it is not the folder below the data folder, and may hold what is not this project's."""
    from rag_assets.store import Store

    uri = settings.store_uri
    if uri == str(settings.data_path / "lancedb") or ("://" not in uri and not Path(uri).exists()):
        return None
    return Store(uri, lock_dir=settings.data_path / "locks", lock_timeout_seconds=settings.store.lock_timeout_seconds)


def _kept(settings: Settings) -> list[str]:
    """What belongs to this project and stays, because others may keep theirs there too."""
    from rag_assets.cli.instance import dagster_home

    kept = []
    home = dagster_home(settings)
    own = settings.data_path / "dagster"
    if home.exists() and not home.resolve().is_relative_to(own):
        kept.append(f"the run history in DAGSTER_HOME {home}")
    if settings.ledger.url_env:
        kept.append(f"the ledger that {settings.ledger.url_env} names, with its releases")
    return kept
