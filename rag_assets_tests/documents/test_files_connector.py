from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rag_assets.config import FilesSource
from rag_assets.documents.connectors import Connector, open_connector
from rag_assets.errors import LoadError, SourceUnavailableError


def connect(root: Path, **settings: object) -> Connector:
    return open_connector(FilesSource.model_validate({"path": ".", **settings}), root=root)


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"text of {name}")


def uris(connector: Connector) -> list[str]:
    return [listed.uri for listed in connector.list()]


def test_lists_supported_files_sorted_with_posix_paths(tmp_path: Path) -> None:
    write(
        tmp_path, "b.md", "a/deep/x.PDF", "a/page.htm", "notes.txt", "image.png", "Makefile", ".hidden.md", ".git/x.md"
    )
    assert uris(connect(tmp_path)) == ["a/deep/x.PDF", "a/page.htm", "b.md", "notes.txt"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"include": ["*.md"]}, ["top.md"]),
        ({"include": ["**/*.md"]}, ["a/b/low.md", "a/mid.md", "top.md"]),
        ({"include": ["a/**"]}, ["a/b/low.md", "a/mid.md", "a/mid.txt"]),
        ({"include": ["a/"], "exclude": ["a/b/"]}, ["a/mid.md", "a/mid.txt"]),
        ({"exclude": ["**/b/**"]}, ["a/mid.md", "a/mid.txt", "top.md"]),
        ({"include": ["a/*/*.md"]}, ["a/b/low.md"]),
        ({"include": ["?op.md", "a/mi[cd].*"]}, ["a/mid.md", "a/mid.txt", "top.md"]),
        ({"include": ["a/mi[!d].md"]}, []),
        ({"include": ["[z-a].md", "(.md", "./top.md"]}, ["top.md"]),
        ({"include": []}, []),
    ],
)
def test_globs(tmp_path: Path, settings: dict[str, object], expected: list[str]) -> None:
    write(tmp_path, "top.md", "a/mid.md", "a/mid.txt", "a/b/low.md")
    assert uris(connect(tmp_path, **settings)) == expected


def test_an_excluded_folder_is_not_opened(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "vendor/x.md")
    opened: list[str] = []
    scandir = os.scandir

    def spy(path: str) -> object:
        opened.append(path)
        return scandir(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", spy)
        assert uris(connect(tmp_path, exclude=["vendor/**"])) == ["a.md"]
    assert [path for path in opened if "vendor" in path] == []


def test_loads_what_it_listed(tmp_path: Path) -> None:
    write(tmp_path, "a/x.md", "same.md")
    (tmp_path / "copy.md").write_text("text of same.md")
    (tmp_path / "empty.txt").touch()
    connector = connect(tmp_path)
    loaded = {listed.uri: connector.load(listed.uri) for listed in connector.list()}
    assert {listed.uri: listed.fingerprint for listed in connector.list()} == {
        uri: one.fingerprint for uri, one in loaded.items()
    }
    assert loaded["a/x.md"].data == b"text of a/x.md"
    assert loaded["empty.txt"].data == b""
    assert loaded["same.md"].content_hash == loaded["copy.md"].content_hash
    assert loaded["same.md"].fingerprint != loaded["copy.md"].fingerprint


def test_an_edit_that_keeps_size_and_modification_time_changes_the_fingerprint(tmp_path: Path) -> None:
    file = tmp_path / "x.md"
    file.write_text("before")
    [before] = connect(tmp_path).list()
    times = file.stat()
    while file.stat().st_ctime_ns == times.st_ctime_ns:  # the file system's clock may tick slowly
        file.write_text("behind")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    [after] = connect(tmp_path).list()
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (times.st_size, times.st_mtime_ns)
    assert before.fingerprint != after.fingerprint


@pytest.mark.parametrize(
    "uri", ["../x.md", "/etc/x.md", "a/../../x.md", "./x.md", "a//x.md", "", "x\0.md", "x.png", ".x.md"]
)
def test_refuses_what_it_would_not_list(tmp_path: Path, uri: str) -> None:
    write(tmp_path, "root/a/x.md", "x.md", "root/x.png", "root/.x.md")
    with pytest.raises(LoadError, match="not a document of this source"):
        connect(tmp_path / "root").load(uri)


def test_links_stay_inside_the_root(tmp_path: Path) -> None:
    write(tmp_path, "outside/secret.md", "root/real/x.md")
    root = tmp_path / "root"
    (root / "inside.md").symlink_to("real/x.md")
    (root / "outside.md").symlink_to(tmp_path / "outside" / "secret.md")
    (root / "nowhere.md").symlink_to("gone.md")
    (root / "itself.md").symlink_to("itself.md")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "real" / "loop").symlink_to("..")
    connector = connect(root)
    assert uris(connector) == ["inside.md", "itself.md", "nowhere.md", "outside.md", "real/x.md"]
    assert connector.load("inside.md").data == b"text of root/real/x.md"
    for uri, problem in [
        ("outside.md", "leads outside"),
        ("nowhere.md", "leads nowhere"),
        ("itself.md", "leads nowhere"),
        ("folder/secret.md", "leads outside"),
    ]:
        with pytest.raises(LoadError, match=problem):
            connector.load(uri)


def test_a_root_that_is_a_link_is_followed(tmp_path: Path) -> None:
    write(tmp_path, "real/x.md")
    (tmp_path / "root").symlink_to("real")
    connector = connect(tmp_path, path="root")
    assert uris(connector) == ["x.md"]
    assert connector.load("x.md").data == b"text of real/x.md"


def test_a_missing_root_is_unavailable_and_not_empty(tmp_path: Path) -> None:
    write(tmp_path, "file.md")
    for path, problem in [("gone", "does not exist"), ("file.md", "is not a folder")]:
        with pytest.raises(SourceUnavailableError, match=problem) as caught:
            list(connect(tmp_path, path=path).list())
        assert "Mend the source's path" in caught.value.fix


def test_a_file_too_large_or_gone_or_special_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "large.md", "gone.md")
    os.mkfifo(tmp_path / "pipe.md")
    connector = connect(tmp_path, max_file_bytes=5)
    assert uris(connector) == ["gone.md", "large.md", "pipe.md"]
    (tmp_path / "gone.md").unlink()
    for uri, problem in [
        ("large.md", "16 bytes, more than the 5"),
        ("gone.md", "not exist"),
        ("pipe.md", "regular file"),
    ]:
        with pytest.raises(LoadError, match=problem):
            connector.load(uri)


@pytest.mark.parametrize("changes", [1, 1_000])
def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, changes: int) -> None:
    file = tmp_path / "busy.md"
    file.write_text("x")
    fstat = os.fstat
    left = iter(range(changes))

    def write_after_the_first_look(handle: int) -> os.stat_result:
        status = fstat(handle)
        if next(left, None) is not None:
            with file.open("a") as end:
                end.write("y")
        return status

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rag_assets.documents.connectors.files.os.fstat", write_after_the_first_look)
        if changes == 1:
            assert connect(tmp_path).load("busy.md").data == b"xy"
        else:
            with pytest.raises(LoadError, match="kept changing"):
                connect(tmp_path).load("busy.md")


def test_a_name_that_is_not_utf8_can_be_listed_and_loaded(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.md")
    try:
        (tmp_path / name).write_text("coffee")
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    connector = connect(tmp_path)
    assert uris(connector) == ["caf%E9.md"]
    assert connector.load("caf%E9.md").data == b"coffee"
    (tmp_path / "caf%E9.md").write_text("literal")
    assert uris(connector) == ["caf%E9.md"]
    assert connector.load("caf%E9.md").data == b"literal"


@contextmanager
def without_privileges() -> Iterator[None]:
    """As a user whom permissions bind, also where the tests run as root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_what_may_not_be_read_is_an_error_and_never_looks_removed() -> None:
    root = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    try:
        root.chmod(0o755)
        write(root, "closed.md", "open.md", "folder/x.md")
        (root / "closed.md").chmod(0)
        with without_privileges():
            assert uris(connect(root)) == ["closed.md", "folder/x.md", "open.md"]
            assert connect(root).load("open.md").data == b"text of open.md"
            with pytest.raises(LoadError, match="permission denied"):
                connect(root).load("closed.md")
        (root / "folder").chmod(0)
        with without_privileges(), pytest.raises(SourceUnavailableError, match="cannot be read"):
            list(connect(root).list())
        with without_privileges():
            assert uris(connect(root, exclude=["folder/**"])) == ["closed.md", "open.md"]
    finally:
        (root / "folder").chmod(0o755)
        shutil.rmtree(root)
