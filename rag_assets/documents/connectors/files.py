"""Documents in a local folder.

Links to files are followed when they stay inside the root; one that leaves it, or leads nowhere, is listed and then
refused, so that it shows up as a failed document. Links to folders are not followed: what they lead to inside the root
is listed at its own place, and so a loop cannot arise.

A name that is not UTF-8 gets a uri in which each undecodable byte is written `%XX`.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from rag_assets.documents.connectors.selection import Selection
from rag_assets.documents.model import Listed, Loaded
from rag_assets.errors import LoadError, SourceUnavailableError, UnfitDocumentError
from rag_assets.fingerprints import sha256_hex

READ_ATTEMPTS = 4
RETRY_SECONDS = 0.05
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_ESCAPED_BYTE = re.compile("%([89A-F][0-9A-F])")

Entries = list[tuple[str, os.DirEntry[str] | None]]


class LocalFiles:
    """The `files` connector for a folder of this machine."""

    def __init__(self, root: Path, selection: Selection, *, max_file_bytes: int) -> None:
        self._root = root
        self._selection = selection
        self._max_file_bytes = max_file_bytes

    def list(self) -> Iterator[Listed]:
        """See `Connector.list`."""
        root = os.path.realpath(self._root)
        if not Path(root).is_dir():
            what = "is not a folder" if Path(root).exists() else "does not exist"
            raise SourceUnavailableError(
                f"The folder {self._root} {what}.",
                fix="Mend the source's path in the configuration, or mount the folder.",
            )
        yield from self._walk(root)

    def _walk(self, root: str) -> Iterator[Listed]:
        """The documents sorted by uri, with no more than the entries of the open folders in memory."""
        pending: Entries = [("", None)]
        while pending:
            path, entry = pending.pop()
            if entry is None or path.endswith("/"):
                pending += self._entries(root if entry is None else entry.path, path, missing_is_empty=bool(entry))
                continue
            uri = _to_uri(path)
            if self._selection.takes_file(uri):
                found = _fingerprint_of(entry)
                # A name with an escaped byte never hides the file that bears just that name.
                if found is not None and (uri == path or not os.path.lexists(Path(root, uri))):
                    yield Listed(uri, found)

    def _entries(self, folder: str, prefix: str, *, missing_is_empty: bool) -> Entries:
        """What is in a folder, last first. With its slash a folder sorts where the uris of what it holds do."""
        found: Entries = []
        for entry in self._scan(folder, missing_is_empty=missing_is_empty):
            path = prefix + entry.name
            if not entry.is_dir(follow_symlinks=False):
                found.append((path, entry))
            elif self._selection.enters_folder(_to_uri(path)):
                found.append((f"{path}/", entry))
        return sorted(found, key=lambda item: _to_uri(item[0]), reverse=True)

    def _scan(self, folder: str, *, missing_is_empty: bool) -> tuple[os.DirEntry[str], ...]:
        try:
            with os.scandir(folder) as entries:
                return tuple(entries)
        except FileNotFoundError:
            if missing_is_empty:  # removed since its parent was read
                return ()
            raise SourceUnavailableError(f"The folder {self._root} vanished while it was listed.") from None
        except OSError as error:
            # Listing the rest would make the documents in it look removed.
            raise SourceUnavailableError(
                f"The folder {folder} cannot be read: {error.strerror}.",
                fix="Allow this user to read it, or exclude it from the source.",
            ) from None

    def load(self, uri: str) -> Loaded:
        """See `Connector.load`."""
        path = self._locate(uri)
        try:
            for attempt in range(READ_ATTEMPTS):
                if attempt:
                    time.sleep(RETRY_SECONDS * attempt)
                loaded = self._read_unchanged(uri, path)
                if loaded is not None:
                    return loaded
        except FileNotFoundError:
            raise LoadError(f"{uri} does not exist any more.", fix="The next run removes it.") from None
        except PermissionError:
            raise LoadError(f"{uri} cannot be read: permission denied.", fix="Allow this user to read it.") from None
        except OSError as error:
            raise LoadError(f"{uri} cannot be read: {error.strerror or error}.") from None
        raise LoadError(f"{uri} kept changing while it was read.", fix="The next run reads it again.")

    def _locate(self, uri: str) -> str:
        names = uri.split("/")
        if "\0" in uri or any(name in ("", ".", "..") for name in names) or not self._selection.takes_file(uri):
            raise LoadError(f"{uri!r} is not a document of this source.", fix="Use a uri that the source lists.")
        root = os.path.realpath(self._root)
        path = Path(root, uri)
        if not os.path.lexists(path) and _ESCAPED_BYTE.search(uri):
            path = Path(root, _to_path(uri))
        real = os.path.realpath(path)
        if not PurePosixPath(real).is_relative_to(root):
            raise UnfitDocumentError(
                f"{uri} is a link that leads outside its source.",
                fix="Copy the file into the source, or exclude the link.",
            )
        if path.is_symlink() and not Path(real).exists():
            raise UnfitDocumentError(f"{uri} is a link that leads nowhere.", fix="Mend or remove the link.")
        return real

    def _read_unchanged(self, uri: str, path: str) -> Loaded | None:
        """The file's bytes, or None when it was written to, or replaced, meanwhile."""
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            before = os.fstat(handle)
            if not stat.S_ISREG(before.st_mode):
                raise UnfitDocumentError(f"{uri} is not a regular file.", fix="Exclude it from the source.")
            if before.st_size > self._max_file_bytes:
                raise too_large(uri, before.st_size, self._max_file_bytes)
            data = file.read(before.st_size + 1)
        found = fingerprint(before)
        if len(data) != before.st_size or fingerprint(Path(path).stat()) != found:
            return None
        return Loaded(uri, data, sha256_hex(data), found)


def fingerprint(status: os.stat_result) -> str:
    """What a file's status says of its content: size, both times, inode. An edit that restores size and modification
    time still moves the time of the status change."""
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}"


def size_in(listed_fingerprint: str) -> int | None:
    """The size in bytes that a fingerprint of `fingerprint` begins with; None for one of another connector."""
    size = listed_fingerprint.partition(":")[0]
    return int(size) if ":" in listed_fingerprint and size.isdecimal() else None


def too_large(uri: str, size_bytes: int, limit_bytes: int) -> UnfitDocumentError:
    """The error for a file over the source's limit."""
    return UnfitDocumentError(
        f"{uri} has {size_bytes:,} bytes, more than the {limit_bytes:,} that its source allows.",
        fix="Raise the source's max_file_bytes, or exclude the file.",
    )


def _fingerprint_of(entry: os.DirEntry[str]) -> str | None:
    try:
        return fingerprint(entry.stat())
    except FileNotFoundError:
        # Either a link that leads nowhere, which `load` explains, or a file removed this moment.
        return "broken link" if entry.is_symlink() else None
    except OSError as error:
        if entry.is_symlink():  # a loop of links, or into a folder that cannot be read
            return "broken link"
        raise SourceUnavailableError(
            f"The file {entry.path} cannot be looked at: {error.strerror}.",
            fix="Allow this user to read its folder, or exclude it from the source.",
        ) from None


def _to_uri(path: str) -> str:
    return path if path.isascii() else _UNDECODABLE.sub(lambda found: f"%{ord(found[0]) - 0xDC00:02X}", path)


def _to_path(uri: str) -> str:
    return _ESCAPED_BYTE.sub(lambda found: chr(0xDC00 + int(found[1], 16)), uri)
