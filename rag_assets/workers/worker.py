"""One worker as its parent sees it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from rag_assets.workers.frames import receive, send

END_SECONDS = 5.0
_ROOT = str(Path(__file__).resolve().parents[2])


class WorkerDiedError(Exception):
    """The process ended in the middle of a job; the message says how."""


class Worker:
    """A process that answers one job after another. Use it in one thread; `kill` may be called from any."""

    def __init__(self, function: Any, arguments: tuple[Any, ...]) -> None:
        paths = [_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            # -P: the working directory may hold a module of the same name as one that is imported.
            [sys.executable, "-P", "-m", "rag_assets.workers.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # As many threads as processes would only get in each other's way.
            env={"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        self._exchange((function, arguments))

    def call(self, job: Any) -> Any:
        """The answer to a job. Raises what the function raised there, and `WorkerDiedError`."""
        succeeded, answer = self._exchange(job)
        if not succeeded:
            raise answer
        return answer

    def kill(self) -> None:
        """Ends it at once."""
        self._process.kill()

    def close(self) -> None:
        """Ends it, and waits until it has ended."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):  # what was still to be written has no reader any more
                pipe.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _exchange(self, message: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            send(self._process.stdin, message)
            return receive(self._process.stdout)
        except (EOFError, OSError):
            self._process.kill()
            raise WorkerDiedError(_how(self._process.wait())) from None


def _how(status: int) -> str:
    if status >= 0:
        return f"it ended with code {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"{name}, out of memory?" if name == "SIGKILL" else name
