"""`rag-assets dev` is reached from this machine alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_assets_tests.cli.command import FORGOTTEN, configure

START_SECONDS = 120
LISTEN = "0A"
LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(group: int) -> Iterator[int]:
    """The processes of a process group."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == group:
                yield int(folder.name)
        except OSError:  # it ended meanwhile
            continue


def listening(group: int) -> set[tuple[int, str]]:
    """The TCP ports on which a process group listens, with the address as the kernel writes it."""
    sockets = set()
    for process in family(group):
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


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads listening sockets from /proc/net/tcp")
def test_every_port_of_the_ui_and_its_daemon_is_on_loopback(tmp_path: Path) -> None:
    configure(tmp_path, "wiki")
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if key not in FORGOTTEN}
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "rag_assets.cli.main", "dev", "--port", str(port)],
            cwd=tmp_path, env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        found: set[tuple[int, str]] = set()
        deadline = time.monotonic() + START_SECONDS
        while not any(number == port for number, _ in found) and time.monotonic() < deadline and server.poll() is None:
            time.sleep(0.5)
            found = listening(server.pid)
        assert (port, "0100007F") in found, (tmp_path / "log").read_text()
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            pass
        assert {place for place in found if place[1] not in LOOPBACK} == set()
    finally:
        for stop in (signal.SIGINT, signal.SIGKILL):
            if next(family(server.pid), None):
                os.killpg(server.pid, stop)
                _wait(server, seconds=30)


def _wait(server: subprocess.Popen[bytes], *, seconds: float) -> None:
    """Until no process of the group is left, or for so long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        server.poll()  # or it would stay as a zombie
        if next(family(server.pid), None) is None:
            return
        time.sleep(0.2)
