"""`rag-assets reset`: forget everything that was ingested."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Annotated

import typer

from rag_assets.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from rag_assets.config import Settings

OWN_NAMES = ("lancedb", "ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "locks", "dagster")


def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this nothing is deleted.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete the tables, the ledger and the run history of this project. The documents themselves are not touched.

    Example: rag-assets reset --yes
    """
    from rag_assets.config_file import load_settings
    from rag_assets.errors import ConfigurationError

    settings = load_settings()
    present = [path for path in _own_paths(settings) if path.exists()]
    if not yes:
        listed = ", ".join(str(path) for path in present) or "nothing"
        raise ConfigurationError(f"This would delete: {listed}.", fix="Add --yes to do it.")
    for path in present:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if as_json:
        print_json({"deleted": [str(path) for path in present]})
    else:
        typer.echo(f"Deleted {len(present)} paths under {settings.data_path}." if present else "There was nothing.")


def _own_paths(settings: Settings) -> list[Path]:
    """Only what this project writes below its data folder; a folder that the user chose elsewhere is never deleted."""
    return [settings.data_path / name for name in OWN_NAMES]
