"""Keeps the bytes that a remote source gave, so that another parser can read them again without fetching anything.

Files of one folder, named by the SHA-256 of what they hold, which is compressed. They are a cache: one that is missing
or damaged costs a fetch and nothing else.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from rag_assets.documents.connectors import Connector
from rag_assets.documents.model import Listed, Loaded
from rag_assets.errors import StoreError
from rag_assets.fingerprints import sha256_hex

SUFFIX = ".zz"
COMPRESSION_LEVEL = 1
"""Text shrinks to about a third at 100 MB/s; the highest level takes ten times as long for a tenth less."""
GRACE_SECONDS = 86_400.0
"""What was fetched so short a time ago may be of a run that has not stored its row yet."""

Stored = Callable[[str], tuple[str, str] | None]
"""Uri → the fingerprint that the source gave when the document was stored, and its content hash."""


class Originals:
    """The kept bytes. Processes may share the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, content_hash: str) -> bytes | None:
        """What has this SHA-256; None when it is not kept, or damaged."""
        try:
            data = zlib.decompress(self._file(content_hash).read_bytes())
        except (OSError, zlib.error):
            return None
        return data if sha256_hex(data) == content_hash else None

    def put(self, content_hash: str, data: bytes) -> None:
        """Keeps `data`, whole or not at all. Raises `StoreError` when the folder cannot be written."""
        file = self._file(content_hash)
        if file.exists():
            with suppress(OSError):  # young again, so that `collect` leaves it to the run that asks for it
                os.utime(file)
            return
        written = file.with_name(f"{file.name}.{uuid4().hex}.tmp")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            written.write_bytes(zlib.compress(data, COMPRESSION_LEVEL))
            written.replace(file)
        except OSError as error:
            with suppress(OSError):
                written.unlink(missing_ok=True)
            raise StoreError(
                f"The originals in {self._folder} cannot be written: {error.strerror}.",
                fix="Free some space or make the folder writable, or set store.keep_originals to false.",
            ) from error

    def collect(self, needed: Collection[str], *, now: float | None = None) -> tuple[int, int]:
        """Removes what is not among `needed` (content hashes) and older than a day; returns files and bytes."""
        limit = (time.time() if now is None else now) - GRACE_SECONDS
        files = size = 0
        for file in self._folder.glob("??/*"):
            with suppress(FileNotFoundError):
                status = file.stat()
                kept = file.suffix == SUFFIX and file.stem in needed
                if not kept and status.st_mtime < limit:
                    file.unlink()
                    files, size = files + 1, size + status.st_size
        return files, size

    def _file(self, content_hash: str) -> Path:
        return self._folder / content_hash[:2] / f"{content_hash}{SUFFIX}"


class WithOriginals:
    """A connector that fetches a document only when the source says that it changed, or when its bytes are not kept.

    With `keep` False nothing is added to what is kept.
    """

    def __init__(self, connector: Connector, originals: Originals, stored: Stored, *, keep: bool = True) -> None:
        self._connector = connector
        self._originals = originals
        self._stored = stored
        self._keep = keep
        self._listed: dict[str, str] = {}

    def list(self) -> Iterator[Listed]:
        """See `Connector.list`."""
        for item in self._connector.list():
            self._listed[item.uri] = item.fingerprint
            yield item

    def load(self, uri: str) -> Loaded:
        """See `Connector.load`. What is kept counts while the listing gives the fingerprint that it was stored with."""
        listed, stored = self._listed.get(uri), self._stored(uri)
        if listed is not None and stored is not None and stored[0] == listed:
            data = self._originals.get(stored[1])
            if data is not None:
                return Loaded(uri, data, stored[1], listed)
        loaded = self._connector.load(uri)
        if self._keep:
            self._originals.put(loaded.content_hash, loaded.data)
        return loaded
