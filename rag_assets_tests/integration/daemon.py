"""The UI and its daemon as a user starts them: a process of its own, on a project in a temporary folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from rag_assets.project import Project
from rag_assets_tests.cli.command import FORGOTTEN
from rag_assets_tests.cli.test_dev import family
from rag_assets_tests.serving.door import free_port

PROMISED_SECONDS = 30.0
START_SECONDS = 60.0


def promised_seconds(seconds: float = PROMISED_SECONDS) -> float:
    """The promise holds for a machine of its own; where others compute too, it is stretched by as much."""
    return seconds * max(1.0, 1.5 * os.getloadavg()[0] / (os.cpu_count() or 1))


@dataclass(frozen=True)
class Running:
    """A project whose daemon runs. `root` holds its configuration."""

    root: Path
    port: int
    process: subprocess.Popen[bytes]

    def wait_for(self, condition: Callable[[], bool], what: str, *, seconds: float = PROMISED_SECONDS) -> float:
        """How many seconds it took until `condition`. Fails with the log when it takes longer than promised."""
        start, limit = time.monotonic(), promised_seconds(seconds)
        while not condition():
            took = time.monotonic() - start
            log = (self.root / "log").read_text("utf-8", "replace")
            assert self.process.poll() is None, log[-5_000:]
            assert took < limit, f"{what} took longer than {limit:.0f} s\n{log[-5_000:]}"
            time.sleep(0.2)
        return time.monotonic() - start

    def serving(self) -> str | None:
        with Project.open(self.root / "rag_assets.yaml") as project:
            release = project.ledger.serving()
        return release.release_id if release else None

    def finds(self, query: str, text: str) -> bool:
        """Whether a search now returns a passage with `text`."""
        with Project.open(self.root / "rag_assets.yaml") as project:
            if project.ledger.serving() is None:
                return False
            return any(text in hit.text for hit in project.search(query, k=20)[1])

    def runs(self, job: str) -> list[dg.DagsterRun]:
        """The runs of a job, oldest first."""
        with dg.DagsterInstance.from_config(str(self.root / ".rag_assets/dagster")) as instance:
            return list(instance.get_runs(dg.RunsFilter(job_name=job), ascending=True))

    def is_idle(self) -> bool:
        """Whether no run is queued or under way."""
        unfinished = [status for status in dg.DagsterRunStatus if status.value not in FINISHED]
        with dg.DagsterInstance.from_config(str(self.root / ".rag_assets/dagster")) as instance:
            return not instance.get_runs(dg.RunsFilter(statuses=unfinished), limit=1)


FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}


@contextmanager
def daemon(root: Path) -> Iterator[Running]:
    """Runs `rag-assets dev` for the project in `root`, and leaves no process behind."""
    environment = {key: value for key, value in os.environ.items() if key not in FORGOTTEN}
    port = free_port()
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "rag_assets.cli.main", "dev", "--port", str(port)],
            cwd=root, env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield Running(root, port, process)
    finally:
        for stop in (signal.SIGINT, signal.SIGKILL):
            if next(family(process.pid), None):
                os.killpg(process.pid, stop)
                _wait(process, seconds=30)


def _wait(process: subprocess.Popen[bytes], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        process.poll()  # or it would stay as a zombie
        if next(family(process.pid), None) is None:
            return
        time.sleep(0.2)
