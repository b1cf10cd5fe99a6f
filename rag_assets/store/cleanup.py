"""Removes versions of a table that nobody needs, and says what is on disk.

LanceDB's own clean-up removes what is older than a limit and fails as a whole when a tag keeps an older version, so by
itself it could only go back to the oldest pin. In a folder on this machine the manifests of the versions that are not
needed are removed here first: exactly those stop being versions, and the clean-up then finds that nothing refers to
their files. On an object store, which other machines may be writing to, versions from the oldest needed one onwards
stay.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rag_assets.errors import StoreError
from rag_assets.store.snapshots import pinned

if TYPE_CHECKING:
    from lancedb.table import LanceTable

MARGIN = timedelta(hours=1)
"""LanceDB counts ages from the end of the compaction: this keeps its limit before a needed version all the same."""
MANIFESTS = "_versions"
LAST_VERSION = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Limit:
    """What LanceDB's clean-up is asked for: the age of what may go, and whether files of no version go too."""

    older_than: timedelta
    unreferenced: bool


def remove_versions(handle: LanceTable, *, read: Collection[int], keep_versions: timedelta) -> Limit:
    """Removes versions that are older than `keep_versions`, and neither the newest, nor pinned, nor among `read`.

    Returns the limit for the clean-up that removes their files. The caller holds the table's write lock. Raises
    `StoreError` when the folder refuses.
    """
    folder = local_folder(handle)
    if folder is None:
        return limit_of(handle, read=read, keep_versions=keep_versions)
    needed = _needed(handle, read)
    try:
        for version, age in _ages(handle).items():
            if version not in needed and age > keep_versions:
                _remove_manifest(folder / MANIFESTS, version)
    except OSError as error:
        raise StoreError(
            f"Old versions of {handle.name} cannot be removed: {error.strerror}.", fix="Check the folder's permissions."
        ) from error
    limit = limit_of(handle, read=read, keep_versions=keep_versions)
    return Limit(limit.older_than, unreferenced=True)


def limit_of(handle: LanceTable, *, read: Collection[int], keep_versions: timedelta) -> Limit:
    """The limit at which no version goes that is pinned, among `read`, or younger than `keep_versions`."""
    ages, needed = _ages(handle), _needed(handle, read) - {int(handle.version)}
    others = [ages[version] + MARGIN for version in needed if version in ages]
    return Limit(max([keep_versions, timedelta(milliseconds=1), *others]), unreferenced=False)


def _needed(handle: LanceTable, read: Collection[int]) -> set[int]:
    return {int(handle.version), *pinned(handle).values(), *read}


def _ages(handle: LanceTable) -> dict[int, timedelta]:
    """Version → how long ago it was written."""
    now = datetime.now().astimezone()
    # These are local times without a zone; `astimezone` takes an ambiguous hour for the earlier one, which keeps more.
    return {int(entry["version"]): now - entry["timestamp"].astimezone() for entry in handle.list_versions()}


def bytes_on_disk(handle: LanceTable) -> int | None:
    """All files of the table, those of old versions included; None where they cannot be listed from here."""
    folder = local_folder(handle)
    if folder is not None:
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(handle.uri)
        return int(system.du(path))
    except (ImportError, OSError, ValueError):
        return None


def local_folder(handle: LanceTable) -> Path | None:
    """Where the table is, if that is a folder of this machine."""
    uri = str(handle.uri)
    path = Path(uri.removeprefix("file://"))
    return path if path.is_absolute() and (path / MANIFESTS).is_dir() else None


def _remove_manifest(folder: Path, version: int) -> None:
    """LanceDB names a manifest by its version, or by how far that is from the last possible one."""
    for name in (f"{LAST_VERSION - version:020}.manifest", f"{version}.manifest"):
        (folder / name).unlink(missing_ok=True)
