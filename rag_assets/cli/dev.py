"""`rag-assets dev`: Dagster's UI and daemon on this machine, on the same DAGSTER_HOME as every other command."""

from __future__ import annotations

import os
import socket
import sys
from importlib.resources import files
from typing import Annotated

import typer

HOST = "127.0.0.1"


def dev(port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the UI on 127.0.0.1.")] = 3000) -> None:
    """Serve Dagster's UI on 127.0.0.1 until you stop it with Ctrl-C.

    Example: rag-assets dev --port 3001
    """
    from rag_assets.assets import sync_partitions
    from rag_assets.cli.instance import open_instance
    from rag_assets.config_file import CONFIG_FILE_VARIABLE, find_config_file
    from rag_assets.errors import ConfigurationError
    from rag_assets.project import Project

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise ConfigurationError(
                f"Port {port} on {HOST} is in use.", fix=f"Stop what uses it, or run: rag-assets dev --port {port + 1}"
            ) from None
    with Project.open() as project:
        with open_instance(project.settings) as instance:
            sync_partitions(instance, project)
        root = project.settings.root
    if file := find_config_file():  # from here on paths start at another folder
        os.environ[CONFIG_FILE_VARIABLE] = str(file)
    typer.echo(f"Dagster's UI: http://{HOST}:{port}  (Ctrl-C stops it)", err=True)
    workspace = str(files("rag_assets.cli") / "workspace.yaml")
    command = [sys.executable, "-m", "dagster", "dev", "-w", workspace, "-h", HOST, "-p", str(port)]
    os.chdir(root)
    os.execv(sys.executable, command)  # noqa: S606  # no shell, no user text: Ctrl-C and exit code are Dagster's own
