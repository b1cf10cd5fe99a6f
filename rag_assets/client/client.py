"""Launches runs on a running server, waits for them and reads what they brought."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from rag_assets.client import events, queries
from rag_assets.client.model import PARTITION_TAG, REQUEST_TAG, Job, Run, RunResult
from rag_assets.client.server import Server
from rag_assets.client.transport import Transport
from rag_assets.errors import AccessRefusedError, RunError, RunTimeoutError, ServerError

DEFAULT_URL = "http://127.0.0.1:3000"
LOCATION = "rag_assets"
SOURCE_UPDATES = "source_updates"
"""The external asset on which other systems report that a source has something new."""
UNREACHABLE_SECONDS = 30.0
"""How long a wait survives a server that does not answer, as when it is restarted."""
OWN_TAGS = {PARTITION_TAG: "source", REQUEST_TAG: "request_id"}


class Client:
    """A client of the server at `url`. Use it in a `with` block, or call `close`.

    `headers` go with every request, such as a proxy's login, and are never shown. `location` is the name of the code
    location. Every method raises `ServerError` when the server cannot be used and `AccessRefusedError` when it refuses.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 30.0,
        location: str = LOCATION,
    ) -> None:
        self._server = Server(Transport(url, headers=headers, timeout_seconds=timeout_seconds))
        self._location = location

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._server.http.close()

    def jobs(self) -> tuple[Job, ...]:
        """The jobs that can be launched, by name."""
        return tuple(self._server.location(self._location).jobs.values())

    def sources(self) -> tuple[str, ...]:
        """The sources that the server knows, sorted."""
        return self._server.sources(self._server.location(self._location))

    def validate(self, job: str, *, source: str | None = None, run_config: Mapping[str, Any] | None = None) -> None:
        """Raises what `launch` would refuse: `RunError` or `UnknownSourceError`. Launches nothing."""
        location = self._server.location(self._location)
        self._server.check(location, job, source)
        wanted = {"job": {**location.selector, "pipelineName": job}, "config": dict(run_config or {})}
        self._server.ask("isPipelineConfigValid", "PipelineConfigValidationValid", queries.VALIDATE, wanted, about=job)

    def launch(
        self,
        job: str,
        *,
        source: str | None = None,
        run_config: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Run:
        """Launches `job` and returns its run, which is queued. Dagster itself accepts unknown sources; this does not.

        With a `request_id` the same request is launched once: the run that the id, the job and the source already
        have is returned, however it ended. Dagster offers nothing to claim an id with, so of callers that come at the
        same moment each looks again after its launch, and all but the oldest run are cancelled. A second run stays
        only where the database shows runs in another order than it numbers them (PostgreSQL, within milliseconds), or
        where a caller dies between its launch and that look. It is harmless: runs of one source never overlap, and
        the later one finds nothing to do.

        Raises `RunError` (an unknown job, a bad configuration, an id used with another configuration) and
        `UnknownSourceError`.
        """
        location = self._server.location(self._location)
        self._server.check(location, job, source)
        if request_id is not None and not request_id.strip():
            raise RunError("A request id is not empty.", fix="Give one that names this request, or none.")
        if taken := sorted(OWN_TAGS.keys() & (tags or {}).keys()):
            raise RunError(f"The tag {taken[0]!r} is not for callers.", fix=f"Use {OWN_TAGS[taken[0]]}= instead.")
        if request_id and (earlier := self._oldest(job, source, request_id)):
            return _same_request(earlier, run_config)
        own = {PARTITION_TAG: source, REQUEST_TAG: request_id}
        all_tags = {**(tags or {}), **{key: value for key, value in own.items() if value is not None}}
        params = {
            "selector": {**location.selector, "jobName": job},
            "runConfigData": dict(run_config or {}),
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in all_tags.items()]},
        }
        answer = self._server.ask("launchRun", "LaunchRunSuccess", queries.LAUNCH, {"params": params}, about=job)
        launched = events.run(answer["run"])
        if request_id and (oldest := self._oldest(job, source, request_id)) and oldest.run_id != launched.run_id:
            with suppress(RunError):  # it may have ended meanwhile
                self.cancel(launched.run_id)
            return _same_request(oldest, run_config)
        return launched

    def run(self, run_id: str) -> Run:
        """The run as it stands. Raises `RunError` when there is none."""
        return events.run(self._server.ask("runOrError", "Run", queries.RUN, {"id": run_id}, about=run_id))

    def wait(
        self,
        run_id: str,
        *,
        timeout_seconds: float = 3_600.0,
        poll_seconds: float = 0.25,
        on_status: Callable[[Run], None] = lambda run: None,
    ) -> Run:
        """Waits until the run has ended, well or not. Raises `RunTimeoutError`; the run itself goes on.

        A server that is away for less than `UNREACHABLE_SECONDS` is waited for.
        """
        start = reached = time.monotonic()
        status = None
        while True:
            try:
                run = self.run(run_id)
            except AccessRefusedError:
                raise
            except ServerError:
                if time.monotonic() - reached > min(UNREACHABLE_SECONDS, timeout_seconds):
                    raise
            else:
                reached = time.monotonic()
                if run.status != status:
                    status = run.status
                    on_status(run)
                if run.ended:
                    return run
                if reached - start > timeout_seconds:
                    raise RunTimeoutError(
                        f"Run {run_id} ({run.label}) is still {run.status} after {timeout_seconds:g} s.",
                        fix="It goes on; wait for it again, or cancel it.",
                    )
            time.sleep(poll_seconds)

    def result(self, run_id: str) -> RunResult:
        """What the run has brought so far: materializations, verdicts, and the sentence of its first failure."""
        run = self.run(run_id)
        found: list[dict[str, Any]] = []
        cursor, more = None, True
        while more:
            page = self._server.ask(
                "logsForRun", "EventConnection", queries.EVENTS, {"id": run_id, "after": cursor}, about=run_id
            )
            found += page["events"]
            cursor, more = page["cursor"], page["hasMore"]
        error = None if run.succeeded else events.first_error(found)
        return RunResult(run, events.materializations(found), events.checks(found), error)

    def cancel(self, run_id: str) -> None:
        """Asks the run to stop; what it finished is kept. Raises `RunError` when there is none or it has ended."""
        self._server.ask("terminateRun", "TerminateRunSuccess", queries.CANCEL, {"id": run_id}, about=run_id)

    def report_new_data(self, source: str, *, metadata: Mapping[str, Any] | None = None) -> None:
        """Reports that `source` has something new, which starts its ingestion where that is switched on.

        `metadata` is kept with the report and shown in Dagster. Raises `UnknownSourceError`, for Dagster itself
        accepts reports on anything, and `RunError` when the server has no asset for such reports.
        """
        location = self._server.location(self._location)
        if SOURCE_UPDATES not in location.assets:
            raise RunError(
                f"The server has no asset {SOURCE_UPDATES!r} to report on.", fix="Bring the server to this version."
            )
        self._server.check_source(location, source)
        body = {"partition": source, "metadata": dict(metadata or {})}
        self._server.http.post(f"/report_asset_materialization/{SOURCE_UPDATES}", body)

    def _oldest(self, job: str, source: str | None, request_id: str) -> Run | None:
        tags = [{"key": REQUEST_TAG, "value": request_id}]
        tags += [{"key": PARTITION_TAG, "value": source}] if source is not None else []
        wanted = {"filter": {"pipelineName": job, "tags": tags}}
        found = self._server.ask("runsOrError", "Runs", queries.RUNS, wanted)["results"]
        return events.run(found[-1]) if found else None  # Dagster lists the newest first


def _same_request(run: Run, run_config: Mapping[str, Any] | None) -> Run:
    """`run`, unless its request id was used for something else."""
    if run.run_config != dict(run_config or {}):
        raise RunError(
            f"The request id {run.tags[REQUEST_TAG]!r} belongs to run {run.run_id}, whose configuration is another.",
            fix="Use a new id for a new request.",
        )
    return run
