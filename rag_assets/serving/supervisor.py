"""Starts processes that belong together and ends them together.

Each gets a process group of its own, so that Ctrl-C in a terminal reaches the supervisor alone, which then stops them
in the reverse order of their start; and so that what they started in turn, such as runs, can be ended with them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType

POLL_SECONDS = 0.1
STOP_SECONDS = 8.0
"""For all together to end by themselves, before they are made to."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Ended:
    """A process that ended although nobody asked it to. A signal's number is negative in `code`, as in Python."""

    name: str
    code: int

    @property
    def exit_code(self) -> int:
        """What the whole ends with: never 0, and as a shell writes a signal."""
        return 128 - self.code if self.code < 0 else self.code or 1


@dataclass
class Supervisor:
    """Processes by name, in the order of their start. Use it through `supervised`."""

    stopping: bool = False
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _pipe: tuple[int, int] = field(default_factory=os.pipe)

    def start(self, name: str, module: str, *arguments: str, pass_fds: Sequence[int] = ()) -> None:
        """Runs `module` with `arguments` until it ends, `stop` is called, or this process is gone."""
        reading = self._pipe[0]
        self._children[name] = subprocess.Popen(  # noqa: S603  # our own modules
            [sys.executable, "-m", "rag_assets.serving.child", str(reading), module, *arguments],
            pass_fds=(reading, *pass_fds),
            process_group=0,
            stdin=subprocess.DEVNULL,
        )

    def wait_until(self, happened: Callable[[], bool]) -> Ended | None:
        """Until `happened` or someone asks to stop: None. Or until a process ends, whichever is first."""
        while not self.stopping and not happened():
            for name, child in self._children.items():
                if (code := child.poll()) is not None:
                    return Ended(name, code)
            time.sleep(POLL_SECONDS)
        return None

    def stop(self) -> None:
        """Ends every process and what it started: asked first, made to after `STOP_SECONDS`.

        One is asked when those that use it have ended, or after half of that time: none sees another disappear.
        """
        deadline = time.monotonic() + STOP_SECONDS
        patience = time.monotonic() + STOP_SECONDS / 2
        for child in reversed(self._children.values()):
            _signal_group(child, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, patience - time.monotonic()))
        for child in self._children.values():
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
            _signal_group(child, signal.SIGKILL)  # also what a process left behind
            child.wait()
        for end in self._pipe:
            os.close(end)


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        os.killpg(child.pid, number)


@contextmanager
def supervised() -> Iterator[Supervisor]:
    """A supervisor that notices Ctrl-C, SIGTERM and the end of the terminal, and stops everything at the end."""
    supervisor = Supervisor()

    def stop(_number: int, _frame: FrameType | None) -> None:
        supervisor.stopping = True

    previous = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield supervisor
    finally:
        supervisor.stop()
        for number, handler in previous.items():
            signal.signal(number, handler)
