"""What the server has: its code location, jobs and sources; and what its refusals mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag_assets.client import events, queries
from rag_assets.client.model import Job
from rag_assets.client.transport import Transport
from rag_assets.errors import AccessRefusedError, RunError, ServerError, UnknownSourceError

SOURCES = "sources"
"""The name of the partitions that are the sources."""


@dataclass(frozen=True, slots=True)
class Location:
    """A code location: its one repository, its jobs by name, and its assets with the name of their partitions."""

    name: str
    repository: str
    jobs: dict[str, Job]
    assets: dict[str, str | None]

    @property
    def selector(self) -> dict[str, str]:
        """What GraphQL selects a job of this location by, beside the job's name."""
        return {"repositoryLocationName": self.name, "repositoryName": self.repository}


class Server:
    """A server's answers as values, and its refusals as errors."""

    def __init__(self, http: Transport) -> None:
        self.http = http

    def ask(
        self, field: str, kind: str, document: str, variables: Mapping[str, Any], *, about: str = ""
    ) -> dict[str, Any]:
        """The answer to `field`, which must be of the GraphQL type `kind`; any other is raised, as one on `about`."""
        answer: dict[str, Any] = self.http.graphql(document, variables)[field]
        if answer["__typename"] != kind:
            raise self._refusal(answer, about)
        return answer

    def location(self, name: str) -> Location:
        """The code location `name`. Raises `ServerError` when there is none, or it has not loaded."""
        workspace = self.ask("workspaceOrError", "Workspace", queries.WORKSPACE, {})
        entries = {entry["name"]: entry["locationOrLoadError"] for entry in workspace["locationEntries"]}
        if name not in entries:
            raise ServerError(
                f"{self.http.url} has no code location {name!r}; it has: {', '.join(sorted(entries)) or 'none'}.",
                fix="Give the address of the project's own server, or the location's name.",
            )
        if (loaded := entries[name]) is None or loaded["__typename"] != "RepositoryLocation":
            said = f": {events.last_line(loaded['message'])}" if loaded else " yet."
            raise ServerError(
                f"The code location {name!r} has not loaded{said}", fix="See the log of rag-assets dev, or doctor."
            )
        repository = loaded["repositories"][0]
        partitioned = {one["pipelineName"] for one in repository["partitionSets"]}
        jobs = sorted((one["name"], one["description"] or "") for one in repository["jobs"])
        return Location(
            name,
            repository["name"],
            {job: Job(job, about, job in partitioned) for job, about in jobs if not job.startswith("__")},
            {
                "/".join(node["assetKey"]["path"]): (node["partitionDefinition"] or {}).get("name")
                for node in repository["assetNodes"]
            },
        )

    def sources(self, location: Location) -> tuple[str, ...]:
        """The keys of the partitions `sources`, sorted."""
        asset = next((asset for asset, partitions in location.assets.items() if partitions == SOURCES), None)
        if asset is None:
            return ()
        node = self.ask(
            "assetNodeOrError", "AssetNode", queries.PARTITION_KEYS, {"asset": {"path": asset.split("/")}}, about=asset
        )
        return tuple(sorted(node["partitionKeys"]))

    def check(self, location: Location, job: str, source: str | None) -> None:
        """Raises `RunError` or `UnknownSourceError` unless `job` can run for `source`."""
        known = location.jobs.get(job)
        if known is None:
            raise RunError(
                f"There is no job {job!r}; the jobs are: {', '.join(location.jobs)}.", fix="Name one of them."
            )
        if not known.partitioned and source is not None:
            raise RunError(f"The job {job!r} runs over all sources and takes none.", fix="Leave the source out.")
        if known.partitioned:
            if source is None:
                raise RunError(f"The job {job!r} runs for one source, and none is named.", fix="Name a source.")
            self.check_source(location, source)

    def check_source(self, location: Location, source: str) -> None:
        """Raises `UnknownSourceError` unless the server knows `source`."""
        known = self.sources(location)
        if source not in known:
            raise UnknownSourceError(
                f"The server knows no source {source!r}; it knows: {', '.join(known) or 'none'}.",
                fix="If it was added just now, wait a few seconds: the sensor sync_sources tells the server. Otherwise "
                "add it: rag-assets sources add NAME --path FOLDER",
            )

    def _refusal(self, answer: Mapping[str, Any], about: str) -> RunError | ServerError:
        kind, message = answer["__typename"], answer.get("message") or ""
        if kind == "RunConfigValidationInvalid":
            said = " ".join(error["message"] for error in answer["errors"])
            return RunError(f"The configuration does not fit {about}: {said}", fix="Correct it and launch again.")
        if kind == "UnauthorizedError":
            return AccessRefusedError(
                f"{self.http.url} is read-only or refuses this caller.", fix="Use a server or a login that may launch."
            )
        if kind == "RunNotFoundError":
            return RunError(f"There is no run {about!r}.", fix="Look for it in Dagster's UI, under Runs.")
        if kind == "TerminateRunFailure":
            return RunError(f"Run {about} cannot be cancelled: {message}", fix="See its status; it may have ended.")
        return ServerError(f"{self.http.url} answered {kind}: {events.last_line(message)}", fix="See the server's log.")
