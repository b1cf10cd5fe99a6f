"""`rag-assets trigger`: launch a job on a running server, and wait for what it brings."""

from __future__ import annotations

import time
from base64 import b64encode
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_assets.cli.output import JsonOption, complain, print_json, progress_line, say

if TYPE_CHECKING:
    from rag_assets.client import Client, Run, RunResult
    from rag_assets.errors import RagAssetsError

JOB_OF_VERB = {
    "ingest": "ingest_source",
    "release": "release_index",
    "evaluate": "evaluate_index",
    "everything": "refresh_all",
    "tune": "collect_and_tune",
}
AUTH_VARIABLE = "RAG_ASSETS_AUTH"
PARTLY_DONE = 3
TAGS = {"rag_assets/launched_by": "trigger"}


@dataclass
class _Request:
    """One run that was asked for, and what became of it."""

    job: str
    source: str | None
    run: Run | None = None
    result: RunResult | None = None
    error: RagAssetsError | None = None

    @property
    def label(self) -> str:
        return self.source or self.job

    def fulfilled(self, *, waited: bool) -> bool:
        """Whether the run was accepted, or, after waiting, succeeded."""
        if not waited:
            return self.run is not None
        return self.result is not None and self.result.run.succeeded


def trigger(
    job: Annotated[str, typer.Argument(help="ingest, release, evaluate, everything, tune, or a job's own name.")],
    source: Annotated[
        list[str] | None, typer.Option("--source", "-s", help="A source; may be repeated. By default every source.")
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", help="Run configuration: a YAML or JSON file, or JSON itself.")
    ] = None,
    request_id: Annotated[
        str | None, typer.Option("--request-id", help="Names this request: the same one is launched once.")
    ] = None,
    url: Annotated[
        str, typer.Option("--url", envvar="RAG_ASSETS_URL", help="Where rag-assets dev, or a proxy to it, listens.")
    ] = "http://127.0.0.1:3000",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until every run has ended.")] = False,
    timeout: Annotated[float, typer.Option(min=0, help="How many seconds to wait at most.")] = 3_600,
    as_json: JsonOption = False,
) -> None:
    """Launch a job on a running server. A proxy's login comes from RAG_ASSETS_AUTH, as user:password.

    Exit code 0: all was accepted, or with --wait succeeded; 1: nothing; 3: some of it.

    Example: rag-assets trigger ingest --source handbook --wait --json
    """
    from rag_assets.client import Client

    run_config = _run_config(config)
    with Client(url, headers=_login()) as client:
        requests = _plan(client, JOB_OF_VERB.get(job, job), source, run_config)
        for request in requests:
            _launch(client, request, run_config, request_id)
        if wait:
            with progress_line() as status:
                _await(client, requests, timeout, lambda run: status.info("%s: %s …", run.label, run.status))
    if as_json:
        print_json({"runs": [_shown(request) for request in requests]})
    else:
        _print(requests)
    for request in requests:
        if (problem := _problem(request)) is not None:
            complain(f"error: {request.label}: {problem}")
    _exit([request.fulfilled(waited=wait) for request in requests])


def _run_config(given: str | None) -> dict[str, Any] | None:
    """The run configuration, from a file unless `given` is a JSON object itself."""
    if given is None:
        return None
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from rag_assets.errors import ConfigurationError

    inline = given.lstrip().startswith("{")
    where = "--config" if inline else given
    try:
        value = YAML(typ="safe").load(given if inline else Path(given).read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"{given} cannot be read: {error.strerror}.", fix="Give --config an existing file, or a JSON object."
        ) from None
    except (YAMLError, ValueError) as error:
        said = " ".join(str(error).split())
        raise ConfigurationError(f"{where} is neither YAML nor JSON: {said}", fix="Correct it.") from None
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where} holds no mapping.", fix='Write it like {"ops": {"NAME": {"config": {}}}}.')
    return value


def _login() -> dict[str, str]:
    """The header of HTTP Basic authentication, when a login is set."""
    import os

    from rag_assets.errors import ConfigurationError

    login = os.environ.get(AUTH_VARIABLE)
    if not login:
        return {}
    if ":" not in login:
        raise ConfigurationError(f"{AUTH_VARIABLE} is not of the form user:password.", fix="Set it like that.")
    return {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}


def _plan(client: Client, job: str, names: list[str] | None, run_config: dict[str, Any] | None) -> list[_Request]:
    """One request per source, or a single one; all are validated before anything is launched."""
    from rag_assets.errors import UnknownSourceError

    partitioned = any(one.name == job and one.partitioned for one in client.jobs())
    sources: list[str | None] = [*dict.fromkeys(names or (client.sources() if partitioned else ()))]
    if partitioned and not sources:
        raise UnknownSourceError("The server knows no source.", fix="Run: rag-assets sources add NAME --path FOLDER")
    requests = [_Request(job, name) for name in sources or [None]]
    for request in requests:
        client.validate(job, source=request.source, run_config=run_config)
    return requests


def _launch(client: Client, request: _Request, run_config: dict[str, Any] | None, request_id: str | None) -> None:
    """Launches one; a refusal is kept with the request, so that those before it are still reported."""
    from rag_assets.errors import RagAssetsError

    try:
        request.run = client.launch(
            request.job, source=request.source, run_config=run_config, request_id=request_id, tags=TAGS
        )
    except RagAssetsError as error:
        request.error = error


def _await(client: Client, requests: list[_Request], timeout_seconds: float, on_status: Any) -> None:
    """Waits for all within one time limit, and reads what each has brought."""
    from rag_assets.errors import RagAssetsError

    deadline = time.monotonic() + timeout_seconds
    for request in requests:
        if request.run is None:
            continue
        run_id = request.run.run_id
        try:
            left = max(deadline - time.monotonic(), 0.0)
            request.run = client.wait(run_id, timeout_seconds=left, on_status=on_status)
        except RagAssetsError as error:
            request.error = error
        try:
            request.result = client.result(run_id)
        except RagAssetsError as error:
            request.error = request.error or error


def _problem(request: _Request) -> str | None:
    if request.error is not None:
        return str(request.error)
    return request.result.error if request.result else None


def _shown(request: _Request) -> dict[str, Any]:
    run = request.result.run if request.result else request.run
    return {
        "job": request.job,
        "source": request.source,
        "run_id": run.run_id if run else None,
        "status": run.status if run else None,
        "seconds": round(run.ended_at - run.created_at, 3) if run and run.ended_at else None,
        "error": _problem(request),
        "materializations": [asdict(made) for made in request.result.materializations] if request.result else [],
        "checks": [asdict(verdict) for verdict in request.result.checks] if request.result else [],
    }


def _print(requests: list[_Request]) -> None:
    for request in requests:
        shown = _shown(request)
        if shown["run_id"] is None:
            continue
        took = f" after {shown['seconds']:.1f} s" if shown["seconds"] is not None else ""
        say(f"{request.label}: {shown['status']}{took}, run {shown['run_id']}")
        for verdict in shown["checks"]:
            if not verdict["passed"]:
                say(f"  {verdict['severity']}: {verdict['check']} of {verdict['asset']}: {verdict['description']}")


def _exit(fulfilled: list[bool]) -> None:
    if not any(fulfilled):
        raise typer.Exit(1)
    if not all(fulfilled):
        raise typer.Exit(PARTLY_DONE)
