from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rag_assets.config import FilesSource
from rag_assets.documents.connectors import Connector, open_connector
from rag_assets.errors import LoadError, MissingDependencyError, SourceUnavailableError


@pytest.fixture
def store() -> Iterator[Any]:
    """fsspec's store in memory, which all of a process share."""
    import fsspec

    files = fsspec.filesystem("memory")
    yield files
    files.rm("/docs", recursive=True) if files.exists("/docs") else None


def connect(url: str = "memory://docs", **settings: object) -> Connector:
    return open_connector(FilesSource.model_validate({"path": url, **settings}), root=Path())


def test_lists_and_loads_like_a_folder(store: Any) -> None:
    for name in ("a.md", "deep/b.txt", "deep/.hidden/c.md", "d.png"):
        store.pipe_file(f"/docs/{name}", f"text of {name}".encode())
    connector = connect()
    listed = {one.uri: one.fingerprint for one in connector.list()}
    assert list(listed) == ["a.md", "deep/b.txt"]
    loaded = connector.load("deep/b.txt")
    assert (loaded.data, loaded.fingerprint) == (b"text of deep/b.txt", listed["deep/b.txt"])
    assert [one.uri for one in connect(exclude=["deep/"]).list()] == ["a.md"]


def test_an_edit_changes_the_fingerprint(store: Any) -> None:
    store.pipe_file("/docs/a.md", b"before")
    [before] = connect().list()
    store.pipe_file("/docs/a.md", b"behind")
    [after] = connect().list()
    assert before.fingerprint != after.fingerprint


def test_a_missing_root_is_unavailable() -> None:
    with pytest.raises(SourceUnavailableError, match="does not exist"):
        list(connect("memory://nothing-here").list())


@pytest.mark.parametrize("uri", ["../x.md", "/docs/a.md", "a//b.md", "a.png"])
def test_refuses_what_it_would_not_list(store: Any, uri: str) -> None:
    with pytest.raises(LoadError, match="not a document of this source"):
        connect().load(uri)


def test_a_document_gone_or_too_large_is_an_error(store: Any) -> None:
    store.pipe_file("/docs/a.md", b"123456")
    with pytest.raises(LoadError, match="does not exist any more"):
        connect().load("b.md")
    with pytest.raises(LoadError, match="6 bytes, more than the 5"):
        connect(max_file_bytes=5).load("a.md")


def test_a_fetch_that_brings_nothing_is_no_empty_document(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store.pipe_file("/docs/blank.md", b"")
    assert connect().load("blank.md").data == b""
    store.pipe_file("/docs/a.md", b"123456")
    monkeypatch.setattr(type(store), "cat_file", lambda *_, **__: b"")
    with pytest.raises(LoadError, match="has 6 bytes, and the store sent none"):
        connect().load("a.md")


def test_an_unknown_protocol_and_a_missing_package_are_clear() -> None:
    with pytest.raises(SourceUnavailableError, match="nosuch://x is not an address"):
        connect("nosuch://x")
    import fsspec

    try:
        fsspec.get_filesystem_class("gs")
    except ImportError:
        with pytest.raises(MissingDependencyError, match="gs://bucket needs a package"):
            connect("gs://bucket")


def test_a_server_that_cannot_be_reached_is_unavailable() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: it refuses
        with pytest.raises(SourceUnavailableError) as caught:
            list(connect(f"ftp://127.0.0.1:{closed.getsockname()[1]}/docs").list())
    assert "/docs cannot be reached: Connection refused." in caught.value.problem
    assert "Check the address" in caught.value.fix
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("said", ["{url} broke", "see {url}, or\n{url}"])
def test_errors_leave_out_user_and_password(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    import fsspec

    url = "ftp://bob:S3/CRET@127.0.0.1/docs"
    source = FilesSource.model_construct(path=url)  # what the configuration refuses

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError(said.format(url=url))

    monkeypatch.setattr(fsspec.core, "url_to_fs", refuse)
    with pytest.raises(SourceUnavailableError) as caught:
        open_connector(source, root=Path())
    assert "ftp://127.0.0.1/docs cannot be reached" in str(caught.value)
    assert "CRET" not in str(caught.value)
    assert "bob" not in str(caught.value)
