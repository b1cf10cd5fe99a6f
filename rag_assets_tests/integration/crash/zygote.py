"""A process that has imported everything, and forks one that runs `rag-assets` each time it is told to.

    {"arguments": ["ingest", "--json"], "folder": "…", "environment": {…}, "trace": "…", "kill_at": ["chunks", 1, 12.5]}

on a line of standard input; it answers the process id of the fork, and when that has ended its wait status. A killed
run then costs what it did, without the seconds that Python needs to import Dagster and LanceDB. What runs in the fork
is the command itself: `rag_assets.cli.main.main`, or the job `maintenance`, which has no command of its own.

`trace` names a file to which each fork appends what its steps do, by the clock of all processes (`CLOCK_MONOTONIC`).
`kill_at` ends the fork with SIGKILL so many milliseconds after the n-th time that a step of this name began.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

PRELOADED = (
    "dagster", "openai", "sqlalchemy", "alembic.config", "alembic.command", "rag_assets.definitions",
    "rag_assets.cli.main", "rag_assets.cli.ingest", "rag_assets.cli.instance", "rag_assets.cli.answers",
    "rag_assets.automation.runs", "rag_assets.ledger", "rag_assets.store", "rag_assets.answering", "fsspec",
    "fsspec.implementations.local", "markdown_it", "lancedb",
)  # fmt: skip
"""Only modules that start no work on their own: their threads would be missing in the fork. LanceDB mends its own."""
MAINTENANCE = "maintenance"
START = "start"
"""Called a step here: from the fork to the first step of its first run."""


def main() -> None:
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for name in PRELOADED:
        import_module(name)
    defs = import_module("rag_assets.definitions").defs
    for name in ("ingest_source", "release_index", MAINTENANCE):
        defs.resolve_job_def(name)
    gc.freeze()
    warnings.filterwarnings("ignore", message="lancedb fork support is experimental")
    _answer("ready")
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(order)
        _answer(str(pid))
        _answer(str(os.waitpid(pid, 0)[1]))


def _answer(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _become(order: dict[str, Any]) -> None:
    """Turns the fork into the ordered process; does not return."""
    os.setsid()
    os.chdir(order["folder"])
    os.environ.update(order["environment"])
    for descriptor, name in ((0, os.devnull), (1, order["out"]), (2, order["err"])):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    for kind, number in order.get("limits", {}).items():
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(getattr(resource, kind), (number, number))
    _watch(Path(order["trace"]), order.get("kill_at"))
    code = 1
    try:
        _run(order["arguments"])
        code = 0
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _run(arguments: list[str]) -> None:
    if arguments != [MAINTENANCE]:
        from rag_assets.cli.main import main as command

        sys.argv = ["rag-assets", *arguments]
        command()
        return
    from rag_assets.automation.runs import run_job
    from rag_assets.cli.instance import open_instance
    from rag_assets.definitions import defs
    from rag_assets.project import Project

    with Project.open() as project, open_instance(project.settings) as instance:
        outcome = run_job(instance, defs.resolve_job_def(MAINTENANCE), MAINTENANCE)
    if not outcome.succeeded:
        raise SystemExit(f"error: {outcome.error}")


def _watch(trace: Path, kill_at: list[Any] | None) -> None:
    """Writes down when steps begin and end, and starts the clock of a kill when its step begins."""
    import dagster as dg

    seen: Counter[str] = Counter()
    descriptor = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(what: str, step: str) -> None:
        os.write(descriptor, f"{json.dumps([time.monotonic(), os.getpid(), what, step])}\n".encode())
        if what != "STEP_START":
            return
        seen[step] += 1
        if kill_at is not None and kill_at[0] == step and kill_at[1] == seen[step]:
            threading.Thread(target=_die_later, args=(kill_at[2] / 1000,), daemon=True).start()

    handle: Callable[..., Any] = dg.DagsterInstance.handle_new_event

    def noting(instance: dg.DagsterInstance, entry: dg.EventLogEntry, **options: Any) -> Any:
        event = entry.dagster_event
        if event is not None and event.step_key is not None and event.event_type_value.startswith("STEP_"):
            note(event.event_type_value, event.step_key)
        return handle(instance, entry, **options)

    dg.DagsterInstance.handle_new_event = noting  # type: ignore[method-assign, assignment]
    note("STEP_START", START)


def _die_later(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
