"""Runs a module as `python -m` would, for as long as the process that started it lives.

`python -m rag_assets.serving.child PIPE MODULE ARGUMENT…`, where PIPE is the number of an inherited descriptor whose
other end only the parent holds. The kernel closes that end however the parent ends, `kill -9` included; then this
process and all that it started (they share its process group) are told to stop, and after a while made to.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

GRACE_SECONDS = 8.0


def _end_with_parent(pipe: int) -> None:
    while os.read(pipe, 1):
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Reads its own arguments, leaves the module those that are meant for it, and runs it."""
    pipe, module, arguments = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    # A shell that starts a job in the background has it ignore Ctrl-C, and Dagster lets SIGTERM do what Ctrl-C does:
    # nothing at all, then.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, args=(pipe,), name="end-with-parent", daemon=True).start()
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:  # asked to stop while it was still importing; nothing to explain
        raise SystemExit(128 + signal.SIGINT) from None


if __name__ == "__main__":
    main()
