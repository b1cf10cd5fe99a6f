"""What runs in a worker: `python -P -m rag_assets.workers.process`, jobs on standard input, answers on output."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
from typing import IO, Any

from rag_assets.workers.frames import receive, send


def main() -> None:
    """Answers jobs until its input ends."""
    # Ctrl-C goes to every process of the terminal; the parent closes the pipe when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between the answers
    jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, jobs), daemon=True).start()
    function, arguments = jobs.get()
    send(answers, None)  # ready: everything that the task names is imported
    while True:
        send(answers, _answer(function, jobs.get(), arguments))


def _read(pipe: IO[bytes], jobs: queue.SimpleQueue[Any]) -> None:
    """Reads ahead, so that the end of the parent is noticed also in the middle of a long document."""
    try:
        while True:
            jobs.put(receive(pipe))
    except (EOFError, OSError):
        os._exit(0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)


def _answer(function: Any, job: Any, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """(True, result), or (False, error)."""
    try:
        return True, function(job, *arguments)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301
        except Exception:
            return False, RuntimeError(f"{type(error).__name__}: {error}")
        return False, error


if __name__ == "__main__":
    main()
