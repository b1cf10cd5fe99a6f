"""`rag-assets dev` is reached from this machine alone, and its parts start and end together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag_assets_tests.cli.command import configure, rag_assets
from rag_assets_tests.serving.door import Door, await_line, free_port, start

LAUNCH = """mutation Launch($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
LISTEN = "0A"
LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
needs_proc = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads processes and sockets from /proc")


def family(session: int) -> Iterator[int]:
    """The processes of a session that run; a zombie does not."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == session and "\nState:\tZ" not in (folder / "status").read_text():
                yield int(folder.name)
        except OSError:  # it ended meanwhile
            continue


def listening(session: int) -> set[tuple[int, str]]:
    """The TCP ports on which a session listens, with the address as the kernel writes it."""
    sockets = set()
    for process in family(session):
        try:
            links = [os.readlink(link) for link in Path(f"/proc/{process}/fd").iterdir()]  # noqa: PTH115
        except OSError:
            continue
        sockets |= {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:[")}
    found = set()
    for table in ("tcp", "tcp6"):
        file = Path("/proc/net") / table
        for line in file.read_text().splitlines()[1:] if file.exists() else []:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == LISTEN and inode in sockets:
                address, port = local.split(":")
                found.add((int(port, 16), address))
    return found


def named(session: int, text: str) -> list[int]:
    """The processes of a session with `text` in their command line."""
    return [pid for pid in family(session) if text in Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")]


def _wait(happened: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not (reached := happened()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return reached


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Door]]:
    """A started `rag-assets dev` and its address; nothing of it is left afterwards."""
    configure(tmp_path, "wiki")
    (tmp_path / "wiki/tea.md").write_text("# Tea\n\nGreen tea is steeped at 80 degrees.\n")
    port = free_port()
    process = start(tmp_path, "--port", str(port))
    try:
        await_line(process, tmp_path, f"http://127.0.0.1:{port}")
        yield process, Door(port, log=tmp_path / "log")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        _wait(lambda: list(family(process.pid)) == [], seconds=5)
        left = list(family(process.pid))
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert left == []


@needs_proc
@pytest.mark.slow
def test_every_port_of_the_ui_and_its_daemon_is_on_loopback(ui: tuple[subprocess.Popen[bytes], Door]) -> None:
    process, door = ui
    assert _wait(lambda: named(process.pid, "dagster._daemon") != [])
    found = listening(process.pid)
    assert (door.port, "0100007F") in found
    assert {place for place in found if place[1] not in LOOPBACK} == set()


@needs_proc
@pytest.mark.slow
def test_only_the_guard_has_a_port(ui: tuple[subprocess.Popen[bytes], Door]) -> None:
    process, door = ui
    assert {port for port, _ in listening(process.pid)} == {door.port}


@pytest.mark.slow
def test_a_run_launched_through_the_guard(ui: tuple[subprocess.Popen[bytes], Door]) -> None:
    _, door = ui
    selector = {
        "repositoryLocationName": "rag_assets",
        "repositoryName": "__repository__",
        "jobName": "ingest_source",
    }
    variables = {
        "p": {"selector": selector, "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "wiki"}]}}
    }
    body = json.dumps({"query": LAUNCH, "variables": variables})
    launched = door.send("POST", "/graphql", body, content_type="application/json", origin=door.url)
    run = launched.json["data"]["launchRun"]["run"]["runId"]
    ended = {"SUCCESS", "FAILURE", "CANCELED"}

    def status() -> str:
        query = f'{{ runOrError(runId: "{run}") {{ ... on Run {{ status }} }} }}'
        return str(door.graphql(query).json["data"]["runOrError"]["status"])

    assert _wait(lambda: status() in ended, seconds=120)
    assert status() == "SUCCESS"


@needs_proc
@pytest.mark.slow
def test_the_looks_of_the_automation_are_not_logged(ui: tuple[subprocess.Popen[bytes], Door]) -> None:
    process, door = ui
    assert door.log is not None
    assert _wait(lambda: named(process.pid, "dagster._daemon") != [])
    time.sleep(15)  # three looks of each sensor
    assert "Checking for new runs for sensor" not in door.log.read_text("utf-8")


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping(ui: tuple[subprocess.Popen[bytes], Door], number: signal.Signals) -> None:
    process, _ = ui
    process.send_signal(number)
    assert process.wait(60) == 0
    assert _wait(lambda: list(family(process.pid)) == [])


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("part", ["serving.webserver", "dagster._daemon", "code-server"])
def test_the_end_of_one_part_ends_the_whole(ui: tuple[subprocess.Popen[bytes], Door], part: str) -> None:
    process, door = ui
    assert _wait(lambda: named(process.pid, part) != [])
    os.kill(named(process.pid, part)[0], signal.SIGKILL)
    assert process.wait(60) == 128 + signal.SIGKILL
    assert _wait(lambda: list(family(process.pid)) == [])
    assert door.log is not None
    assert "ended with exit code -9" in door.log.read_text("utf-8")


@needs_proc
@pytest.mark.slow
def test_nothing_outlives_a_killed_command(ui: tuple[subprocess.Popen[bytes], Door]) -> None:
    process, _ = ui
    assert len(named(process.pid, "serving.child")) >= 2
    process.kill()
    process.wait()
    assert _wait(lambda: list(family(process.pid)) == [])


def test_an_address_for_others_needs_a_name(tmp_path: Path) -> None:
    ran = rag_assets(tmp_path, "dev", "--host", "0.0.0.0")
    assert (ran.code, ran.out) == (1, "")
    assert "has no login" in ran.error
    assert "docs/how-to/run-behind-a-proxy.md" in ran.error
    assert (Path(__file__).parents[2] / "docs/how-to/run-behind-a-proxy.md").is_file()


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [("--host", "example.org", "is not an IP address"), ("--host", "203.0.113.9", "has no login"),
     ("--allow-host", "http://ui.example.org", "is not one")],
)  # fmt: skip
def test_what_is_no_address_or_name(tmp_path: Path, option: str, value: str, problem: str) -> None:
    ran = rag_assets(tmp_path, "dev", option, value)
    assert ran.code == 1
    assert problem in ran.error
