"""Reports are served from one folder and nothing beside it, and cannot run anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_assets_tests.serving.door import Door
from rag_assets_tests.serving.test_guard import Obedient, served

SECRET = "the key"
PAGE = "<!doctype html><title>Report</title><script>alert(1)</script>"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "reports/evaluation").mkdir(parents=True)
    (tmp_path / "reports/evaluation/one.html").write_text(PAGE)
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "reports/link.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "reports/up").symlink_to(tmp_path)
    return tmp_path


@pytest.fixture
def door(data: Path) -> Iterator[Door]:
    with served(Obedient(), data / "reports") as door:
        yield door


def test_a_report_is_a_page_that_cannot_run_scripts(door: Door) -> None:
    answer = door.send("GET", "/reports/evaluation/one.html")
    assert (answer.status, answer.body) == (200, PAGE)
    assert answer.headers["content-type"].startswith("text/html")
    assert any(policy.startswith("default-src 'none'; style-src 'unsafe-inline'") for policy in answer.policies)


@pytest.mark.parametrize(
    "path",
    ["/reports/../secret.txt", "/reports/%2e%2e/secret.txt", "/reports/..%2fsecret.txt", "/reports/link.txt",
     "/reports/evaluation/../../secret.txt", "/reports/up/secret.txt", "/reports//etc/passwd", "/reports/%00",
     "/reports/..\\secret.txt", "/reports/", "/reports/evaluation", "/reports/evaluation/", "/reports/missing.html",
     "/reports/" + "x" * 5_000],
)  # fmt: skip
def test_nothing_else_is_served(door: Door, path: str) -> None:
    answer = door.send("GET", path)
    assert answer.status == 404
    assert SECRET not in answer.body


def test_the_page_of_all_reports(door: Door, data: Path) -> None:
    (data / "reports/index.html").write_text("<h1>All</h1>")
    assert door.send("GET", "/reports/").body == "<h1>All</h1>"


def test_without_its_slash_it_leads_to_the_page_of_all_reports(door: Door) -> None:
    answer = door.send("GET", "/reports")
    assert (answer.status, answer.headers["location"]) == (307, "/reports/")
    assert door.send("GET", "/reportsx").status == 200, "the inner application's"


def test_a_report_is_only_read(door: Door) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert door.send(method, "/reports/evaluation/one.html", b"x").status == 405


def test_the_folder_may_appear_later(tmp_path: Path) -> None:
    with served(Obedient(), tmp_path / "reports") as door:
        assert door.send("GET", "/reports/a.html").status == 404
        (tmp_path / "reports").mkdir()
        (tmp_path / "reports/a.html").write_text(PAGE)
        assert door.send("GET", "/reports/a.html").status == 200
