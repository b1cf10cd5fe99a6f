"""`rag-assets dev`: Dagster's UI and daemon on this machine, on the same DAGSTER_HOME as every other command."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rag_assets.config import Settings
    from rag_assets.serving.supervisor import Ended, Supervisor

HOST = "127.0.0.1"
LOCATION = "rag_assets"
WEBSERVER, DAEMON, CODE_SERVER = "webserver", "daemon", "code server"


def dev(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the UI.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on; another than this machine's needs --allow-host.")]
    = HOST,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A name the UI may be reached by, as NAME or NAME:PORT; behind a proxy, the proxy's name."),
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Serve the UI without anything that changes something; no daemon.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Log each look of the automation too, not just warnings.")
    ] = False,
) -> None:  # fmt: skip
    """Serve Dagster's UI on 127.0.0.1, behind a guard against foreign web pages, until you stop it with Ctrl-C.

    Example: rag-assets dev --port 3001
    """
    from rag_assets.config_file import CONFIG_FILE_VARIABLE, find_config_file
    from rag_assets.serving.hosts import AllowedHosts

    names = tuple(allow_host or ())
    AllowedHosts.at(port, *names)  # says now what is wrong with a name
    with _listen(host, port, names) as listener:
        settings = _prepare(read_only=read_only)
        if file := find_config_file():  # from here on paths start at another folder
            os.environ[CONFIG_FILE_VARIABLE] = str(file)
        os.chdir(settings.root)
        ended = _serve(listener, settings, names, read_only=read_only, log_level="info" if verbose else "warning")
    if ended:
        from rag_assets.cli.output import complain

        complain(f"error: The {ended.name} ended with exit code {ended.code}; its last lines above say why.")
        raise typer.Exit(ended.exit_code)


def _listen(host: str, port: int, names: tuple[str, ...]) -> socket.socket:
    """The socket of the UI, bound and not listening yet. Raises `ConfigurationError`."""
    from rag_assets.errors import ConfigurationError

    try:
        address = ip_address(host)
    except ValueError:
        raise ConfigurationError(f"--host {host} is not an IP address.", fix="Name one, such as 127.0.0.1.") from None
    if not address.is_loopback:
        if not names:
            raise ConfigurationError(
                f"--host {host} can be reached from other machines, and the UI has no login.",
                fix="Leave it at 127.0.0.1 behind a proxy (docs/how-to/run-behind-a-proxy.md), or add the name it is "
                "reached by: --allow-host NAME",
            )
        typer.echo(
            f"warning: whoever reaches {host}:{port} can launch runs, for the UI has no login. "
            "docs/how-to/run-behind-a-proxy.md puts one before it.",
            err=True,
        )
    listener = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE:
            raise ConfigurationError(
                f"{host}:{port} cannot be listened on: {error.strerror}.", fix="Choose another --host or --port."
            ) from None
        raise ConfigurationError(
            f"Port {port} on {host} is in use.",
            fix=f"Stop what uses it, or run: rag-assets dev --port {port % 65_535 + 1}",
        ) from None
    return listener


def _prepare(*, read_only: bool) -> Settings:
    """Makes DAGSTER_HOME where it is missing, and lets it know the configured sources."""
    from rag_assets.cli.instance import open_instance
    from rag_assets.project import Project

    with Project.open() as project, open_instance(project.settings) as instance:
        if not read_only:
            from rag_assets.assets import sync_example_sets, sync_partitions

            sync_partitions(instance, project)
            sync_example_sets(instance, project)
        return project.settings


def _serve(
    listener: socket.socket, settings: Settings, names: tuple[str, ...], *, read_only: bool, log_level: str
) -> Ended | None:
    """Runs the processes until someone stops them: None. Or until one of them ends."""
    from rag_assets.serving.supervisor import supervised

    os.environ["DAGSTER_IS_DEV_CLI"] = "1"
    # Short, for the path of a Unix socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="rag-assets-") as folder, supervised() as supervisor:
        code_server, workspace = Path(folder) / "code.sock", Path(folder) / "workspace.yaml"
        workspace.write_text(
            "load_from:\n  - grpc_server:\n"
            f"      socket: {code_server}\n      host: localhost\n      location_name: {LOCATION}\n"
        )
        _start_code_server(supervisor, code_server, log_level)
        options = [argument for name in names for argument in ("--allow-host", name)]
        supervisor.start(
            WEBSERVER, "rag_assets.serving.webserver", "--listener", str(listener.fileno()),
            "--workspace", str(workspace), "--code-server", str(code_server),
            "--reports", str(settings.data_path / "reports"), *options, *(["--read-only"] if read_only else []),
            pass_fds=[listener.fileno()],
        )  # fmt: skip
        address = listener.getsockname()[:2]
        listener.close()  # this process answers nobody
        if ended := supervisor.wait_until(lambda: _answers(*address)):
            return ended
        if not supervisor.stopping:
            what = "Dagster's UI, read-only" if read_only else "Dagster's UI"
            typer.echo(f"{what}: {_url(*address)}  (Ctrl-C stops it)", err=True)
        if not read_only and not supervisor.stopping:
            supervisor.start(DAEMON, "dagster._daemon", "run", "--workspace", str(workspace), "--log-level", log_level)
        return supervisor.wait_until(lambda: False)


def _start_code_server(supervisor: Supervisor, path: Path, log_level: str) -> None:
    supervisor.start(
        CODE_SERVER, "dagster", "code-server", "start", "--socket", str(path), "--module-name",
        "rag_assets.definitions", "--location-name", LOCATION, "--log-level", log_level,
        "--inject-env-vars-from-instance", "--use-python-environment-entry-point",
    )  # fmt: skip


def _answers(host: str, port: int) -> bool:
    """Whether the UI accepts a connection: it listens once its code location is loaded."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.settimeout(1)
        return probe.connect_ex((_reachable(host), port)) == 0


def _reachable(host: str) -> str:
    return {"0.0.0.0": HOST, "::": "::1"}.get(host, host)  # noqa: S104  # the other way round


def _url(host: str, port: int) -> str:
    near = _reachable(host)
    return f"http://[{near}]:{port}" if ":" in near else f"http://{near}:{port}"
