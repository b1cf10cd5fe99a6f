"""Orders processes of `rag-assets` from the zygote, kills them, and tells how they ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag_assets.failpoints import VARIABLE
from rag_assets_tests.cli.command import FORGOTTEN
from rag_assets_tests.integration.crash import zygote

REQUEST_LOG = "RAG_ASSETS_EMBEDDED_REQUEST_LOG"
REQUESTS = "requests.jsonl"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one process; `seconds` is None where the process ended in it."""

    name: str
    began: float
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended. `code` is minus the signal where one ended it; `steps` are those that began, in order."""

    pid: int
    code: int
    out: str
    err: str
    steps: tuple[Step, ...]

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL

    @property
    def where(self) -> str:
        """The step that a killed process was in, or the one that it had left last, with a plus sign."""
        if not self.steps:
            return zygote.START
        last = self.steps[-1]
        return last.name if last.seconds is None else f"{last.name}+"

    @property
    def json(self) -> Any:
        """Standard output of a process that ended well."""
        assert self.code == 0, self.said
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line on standard error, of a process that ended with exit code 1."""
        assert self.code == 1, self.said
        lines = self.err.splitlines()
        assert len(lines) == 1 and lines[0].startswith("error: "), self.said
        return lines[0].removeprefix("error: ")

    @property
    def said(self) -> str:
        return f"code {self.code}\n{self.out}\n{self.err}"


@dataclass(frozen=True, slots=True)
class Workers:
    """Runs one process at a time in `folder`. What lies beside it, such as the model's log `REQUESTS`, is scratch."""

    folder: Path
    process: subprocess.Popen[str]
    environment: Mapping[str, str]

    def elsewhere(self, folder: Path) -> Workers:
        """The same for another project."""
        return Workers(folder, self.process, {})

    def run(
        self,
        *arguments: str,
        failpoint: str | None = None,
        kill_at: tuple[str, int, float] | None = None,
        limits: dict[str, int] | None = None,
    ) -> Ended:
        """One process from its start to its end, however that comes; see `zygote` for `kill_at`."""
        scratch = self.folder.parent
        environment = {**self.environment, REQUEST_LOG: str(scratch / REQUESTS)}
        order = {
            "arguments": arguments,
            "folder": str(self.folder),
            "environment": environment | ({VARIABLE: failpoint} if failpoint else {}),
            "out": str(scratch / "out"),
            "err": str(scratch / "err"),
            "trace": str(scratch / "trace"),
            "kill_at": kill_at,
            "limits": limits or {},
        }
        (scratch / "trace").unlink(missing_ok=True)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        pid = int(self.process.stdout.readline())
        code = os.waitstatus_to_exitcode(int(self.process.stdout.readline()))
        out, err = ((scratch / name).read_text("utf-8", "replace") for name in ("out", "err"))
        assert "Traceback" not in err, err
        return Ended(pid, code, out, err, _steps(scratch / "trace"))

    def ingest(self, *arguments: str, **options: Any) -> Ended:
        return self.run("ingest", "--json", *arguments, **options)


def _steps(trace: Path) -> tuple[Step, ...]:
    """The steps of the process that wrote `trace`. Its start ends where the first of the others begins."""
    steps: list[Step] = []
    for line in trace.read_text("utf-8").splitlines() if trace.exists() else ():
        at, _, what, name = json.loads(line)
        if what == "STEP_START":
            if steps and steps[-1].name == zygote.START:
                steps[-1] = Step(zygote.START, steps[-1].began, at - steps[-1].began)
            steps.append(Step(name, at, None))
        elif steps and steps[-1].name == name and what in ("STEP_SUCCESS", "STEP_FAILURE"):
            steps[-1] = Step(name, steps[-1].began, at - steps[-1].began)
    return tuple(steps)


@contextmanager
def workers(folder: Path, **environment: str) -> Iterator[Workers]:
    """Keeps a zygote for the project in `folder`."""
    kept = {key: value for key, value in os.environ.items() if key not in (*FORGOTTEN, VARIABLE)}
    with subprocess.Popen(
        [sys.executable, "-m", zygote.__name__],
        env=kept, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Workers(folder, process, environment)
