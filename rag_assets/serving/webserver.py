"""Dagster's webserver behind the guard: `python -m rag_assets.serving.webserver --listener FD --workspace FILE …`.

Dagster's application is made in this process and has no port of its own; the only socket is the one that the guard
answers on. The parent opens that socket, so nobody can take the port between its check and its use.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rag_assets.serving.guard import Guard
from rag_assets.serving.hosts import AllowedHosts
from rag_assets.serving.reports import Reports

if TYPE_CHECKING:
    from dagster import DagsterInstance
    from starlette.types import ASGIApp

LIVE_DATA_MS = 2_000
"""How often the UI asks for changes of what it shows; Dagster's own default."""
CLOSE_SECONDS = 2
"""For open requests and websockets at the end; a browser reconnects by itself."""
DB_STATEMENT_TIMEOUT_MS, DB_POOL_RECYCLE_SECONDS, DB_POOL_MAX_OVERFLOW = 15_000, 3_600, 20
"""As `dagster-webserver` sets them; they matter where DAGSTER_HOME says PostgreSQL."""
MAX_MESSAGE_BYTES = 1024 * 1024


def wait_for_socket(path: Path) -> None:
    """Until somebody listens on the Unix socket `path`. Whoever started this process ends the wait."""
    while True:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
                return
            except OSError:
                time.sleep(0.05)


def serve(
    listener: socket.socket, instance: DagsterInstance, workspace: Path, *, code_server: Path, hosts: AllowedHosts,
    reports: Path, read_only: bool,
) -> NoReturn:  # fmt: skip
    """Serves until a signal arrives, then ends the process.

    The imports take as long as the code server needs to load, so they come first.
    """
    import uvicorn
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.version import __version__

    instance.optimize_for_webserver(DB_STATEMENT_TIMEOUT_MS, DB_POOL_RECYCLE_SECONDS, DB_POOL_MAX_OVERFLOW)
    wait_for_socket(code_server)
    target = WorkspaceFileTarget(paths=[str(workspace)])
    with WorkspaceProcessContext(instance, target, version=__version__, read_only=read_only) as context:
        ui: ASGIApp = create_app_from_workspace_process_context(context, live_data_poll_rate=LIVE_DATA_MS)
        guard = Guard(Reports(ui, reports), hosts, read_only=read_only)
        settings = uvicorn.Config(
            guard, log_level="warning", server_header=False, proxy_headers=False, ws_max_size=MAX_MESSAGE_BYTES,
            timeout_graceful_shutdown=CLOSE_SECONDS,
        )  # fmt: skip
        with suppress(KeyboardInterrupt):  # uvicorn raises the signal once more when it is done
            uvicorn.Server(settings).run(sockets=[listener])
        # Every request is answered by now; taking Dagster's threads and its schema down takes a second for nothing.
        sys.stderr.flush()
        os._exit(0)


def main() -> None:
    """Reads the arguments that `rag-assets dev` gives."""
    import logging

    from dagster import DagsterInstance
    from dagster._utils.log import configure_loggers

    parser = argparse.ArgumentParser(prog="python -m rag_assets.serving.webserver")
    parser.add_argument("--listener", type=int, required=True)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--code-server", type=Path, required=True)
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--allow-host", action="append", default=[])
    parser.add_argument("--read-only", action="store_true")
    given = parser.parse_args()

    configure_loggers(log_level="INFO")
    logging.getLogger("dagster-webserver").setLevel(logging.WARNING)
    with socket.socket(fileno=given.listener) as listener, DagsterInstance.get() as instance:
        hosts = AllowedHosts.at(listener.getsockname()[1], *given.allow_host)
        serve(
            listener, instance, given.workspace, code_server=given.code_server, hosts=hosts,
            reports=given.reports, read_only=given.read_only,
        )  # fmt: skip


if __name__ == "__main__":
    main()
