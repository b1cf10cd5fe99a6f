"""Documents behind any fsspec URL: object stores, archives, `memory://`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rag_assets.documents.connectors.files import READ_ATTEMPTS, too_large
from rag_assets.documents.connectors.selection import Selection
from rag_assets.documents.model import Listed, Loaded
from rag_assets.errors import LoadError, MissingDependencyError, SourceUnavailableError
from rag_assets.fingerprints import fingerprint, sha256_hex

# What stores say of a file that changes with its content, under the names they give it.
_MARKS = (
    "ETag", "etag", "checksum", "md5Hash", "md5", "content_md5", "generation", "version_id", "VersionId",
    "mtime", "LastModified", "last_modified", "updated", "modified", "created", "CRC", "date_time",
)  # fmt: skip
_CHECK = "Check the address and the store's credentials."
# A password may hold a slash; `host:80/x@y` is no password.
_USERINFO = re.compile(r"://(?:[^/\s]*@|[^/@:\[\s]*:(?!\d*/)[^@\s]*@)")


class RemoteFiles:
    """The `files` connector for an fsspec URL. Credentials come from the store's own environment variables."""

    def __init__(self, url: str, selection: Selection, *, max_file_bytes: int) -> None:
        self._url = url
        self._selection = selection
        self._max_file_bytes = max_file_bytes
        self._files, self._root = _open(url)

    def list(self) -> Iterator[Listed]:
        """See `Connector.list`."""
        try:
            self._files.invalidate_cache()
            known = self._files.exists(self._root)
            found: dict[str, dict[str, Any]] = self._files.find(self._root, detail=True) if known else {}
        except Exception as error:
            # Each store's client has errors of its own.
            raise SourceUnavailableError(
                f"{_named(self._url)} cannot be listed: {_explain(error)}.", fix=_CHECK
            ) from None
        if not known:
            raise SourceUnavailableError(
                f"{_named(self._url)} does not exist.", fix="Mend the source's path in the configuration."
            )
        by_uri = {self._to_uri(path): info for path, info in found.items()}
        for uri in sorted(by_uri):
            if self._selection.takes_file(uri):
                yield Listed(uri, self._fingerprint(uri, by_uri[uri]))

    def load(self, uri: str) -> Loaded:
        """See `Connector.load`."""
        names = uri.split("/")
        if any(name in ("", ".", "..") for name in names) or not self._selection.takes_file(uri):
            raise LoadError(f"{uri!r} is not a document of this source.", fix="Use a uri that the source lists.")
        try:
            for _ in range(READ_ATTEMPTS):
                before = self._info(uri)
                size = int(before.get("size") or 0)
                if size > self._max_file_bytes:
                    raise too_large(uri, size, self._max_file_bytes)
                data = bytes(self._files.cat_file(self._path(uri)))
                if size and not data:  # else a failed fetch would become an empty document
                    raise LoadError(f"{uri} has {size:,} bytes, and the store sent none.")
                found = self._fingerprint(uri, before)
                if found == self._fingerprint(uri, self._info(uri)):
                    return Loaded(uri, data, sha256_hex(data), found)
        except LoadError:
            raise
        except FileNotFoundError:
            raise LoadError(f"{uri} does not exist any more.", fix="The next run removes it.") from None
        except Exception as error:
            raise LoadError(f"{uri} cannot be read: {_explain(error)}.") from None
        raise LoadError(f"{uri} kept changing while it was read.", fix="The next run reads it again.")

    def _info(self, uri: str) -> dict[str, Any]:
        self._files.invalidate_cache()
        return dict(self._files.info(self._path(uri)))

    def _path(self, uri: str) -> str:
        return f"{self._root.rstrip('/')}/{uri}"

    def _to_uri(self, path: str) -> str:
        return path.removeprefix(self._root.rstrip("/")).lstrip("/")

    def _fingerprint(self, uri: str, info: Mapping[str, Any]) -> str:
        # The same time comes as a number from a listing and as a datetime from a single look-up.
        marks = {name: str(_seconds(info[name])) for name in _MARKS if info.get(name)}
        if not marks:
            # The store gives no sign of a change, so only the content can.
            marks = {"sha256": sha256_hex(bytes(self._files.cat_file(self._path(uri))))}
        return fingerprint(size=info.get("size"), **marks)


def _open(url: str) -> tuple[Any, str]:
    import fsspec

    try:
        files, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise MissingDependencyError(f"{_named(url)} needs a package: {_explain(error)}.") from None
    except ValueError as error:
        raise SourceUnavailableError(
            f"{_named(url)} is not an address that can be read: {_explain(error)}.",
            fix="Use a folder or an fsspec URL.",
        ) from None
    except Exception as error:
        # Some stores are connected to at once, and each client has errors of its own.
        raise SourceUnavailableError(f"{_named(url)} cannot be reached: {_explain(error)}.", fix=_CHECK) from None
    return files, str(root)


def _named(text: str) -> str:
    """`text` without what stands before the `@` of a URL: a user, and a password where the user wrote one."""
    return _USERINFO.sub("://", text)


def _seconds(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else value


def _explain(error: Exception) -> str:
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    lines = said.strip().splitlines()
    return _named(lines[0].rstrip(".")) if lines else type(error).__name__
