"""Versions of a table, and the tags that keep them.

A tag is named for the snapshot that it keeps and never moves, so a reader that opens what a release pins sees exactly
those rows, whatever is written, optimized or cleaned up later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag_assets.errors import StoreError

if TYPE_CHECKING:
    from lancedb.table import LanceTable

_FIX = "Run: rag-assets ingest --all"


def pin(handle: LanceTable, version: int, tag: str) -> None:
    """Keeps `version` for as long as `tag` is there. Pinning the same again changes nothing.

    Raises `StoreError` when the tag already keeps another version, or when there is no such version.
    """
    kept = pinned(handle).get(tag)
    if kept == version:
        return
    if kept is not None:
        raise StoreError(
            f"The tag {tag} of {handle.name} keeps version {kept} and cannot be moved to version {version}.",
            fix="Use a tag of its own for each version.",
        )
    try:
        handle.tags.create(tag, version)
    except (OSError, RuntimeError, ValueError) as error:
        raise StoreError(f"Version {version} of {handle.name} cannot be pinned: {first_line(error)}.") from error


def unpin(handle: LanceTable, tag: str) -> None:
    """Removes `tag`, if it is there; its version may then be cleaned up."""
    if tag in pinned(handle):
        handle.tags.delete(tag)


def pinned(handle: LanceTable) -> dict[str, int]:
    """Tag → the version it keeps."""
    return {tag: int(entry["version"]) for tag, entry in handle.tags.list().items()}


def require_pinned(handle: LanceTable, version: int, tag: str) -> None:
    """Raises `StoreError` unless `tag` keeps `version`."""
    if pinned(handle).get(tag) != version:
        raise StoreError(f"Version {version} of {handle.name} is no longer kept: it was pruned.", fix=_FIX)


def check_out(handle: LanceTable | None, name: str, version: int) -> LanceTable:
    """Makes `handle` read exactly `version` and refuse writes; returns it.

    Raises `StoreError` when the table (None) or the version is gone.
    """
    handle = required(handle, name)
    try:
        handle.checkout(version)
    except (OSError, RuntimeError, ValueError) as error:
        raise StoreError(f"Version {version} of {name} cannot be read: {first_line(error)}.", fix=_FIX) from error
    return handle


def required(handle: LanceTable | None, name: str) -> LanceTable:
    """`handle`, unless it is None. Raises `StoreError`."""
    if handle is None:
        raise StoreError(f"The table {name} does not exist.", fix=_FIX)
    return handle


def first_line(error: BaseException) -> str:
    """What LanceDB says went wrong, without the places in its source that it adds."""
    return (str(error).splitlines() or [type(error).__name__])[0].split(", /")[0].rstrip(".")[:300]
