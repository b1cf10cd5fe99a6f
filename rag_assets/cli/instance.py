"""The Dagster instance that the command line shares with the UI: one DAGSTER_HOME for both."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from rag_assets.cli.faults import storage_fault
from rag_assets.config import Settings
from rag_assets.errors import ConfigurationError

if TYPE_CHECKING:
    import dagster as dg

HOME_VARIABLE = "DAGSTER_HOME"
INSTANCE_FILE = "dagster.yaml"
MADE = Path(".made")


def dagster_home(settings: Settings) -> Path:
    """DAGSTER_HOME from the environment (which `.env` is part of by now), else `<data_dir>/dagster`."""
    named = os.environ.get(HOME_VARIABLE)
    home = Path(named).expanduser() if named else settings.data_path / "dagster"
    if not home.is_absolute():
        raise ConfigurationError(
            f"{HOME_VARIABLE} is {str(home)!r}, and Dagster needs an absolute path.", fix=f"Set it to {home.resolve()}"
        )
    return home


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance in `dagster_home`, made on first use with the project's `dagster.yaml`, else the shipped one.

    One process makes it: Dagster's migrations fail where two run at once.

    Raises `ConfigurationError` when that folder cannot be written, and `RecordsError` when Dagster cannot use it.
    """
    from filelock import FileLock

    home = dagster_home(settings)
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / MADE).exists():
            with FileLock(home / MADE.with_suffix(".lock")):
                _make(home, settings)
    except OSError as error:
        raise ConfigurationError(
            f"{HOME_VARIABLE} {home} cannot be written: {error.strerror}.", fix="Choose another folder."
        ) from None
    os.environ[HOME_VARIABLE] = str(home)
    return _opened(home)


def _make(home: Path, settings: Settings) -> None:
    if not (home / INSTANCE_FILE).exists():
        own = settings.root / INSTANCE_FILE
        shipped = (files("rag_assets.cli") / INSTANCE_FILE).read_text("utf-8")
        (home / INSTANCE_FILE).write_text(own.read_text("utf-8") if own.is_file() else shipped, "utf-8")
    with _opened(home) as instance:
        for storage in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
            assert storage is not None  # naming it has made it
    (home / MADE).touch()


def _opened(home: Path) -> dg.DagsterInstance:
    import dagster as dg

    try:
        return dg.DagsterInstance.from_config(str(home))
    except Exception as error:
        if (fault := storage_fault(error)) is None:
            raise
        raise fault from None
