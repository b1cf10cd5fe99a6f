"""The part of the embedded provider's API that keeps something: which request is answered by what."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from rag_assets.models.embedded.reader.tuned import TunedReader
from rag_assets.models.embedded.tuning import files, jobs, models
from rag_assets.models.embedded.tuning.database import Database
from rag_assets.models.embedded.tuning.paging import Query
from rag_assets.models.embedded.wire import JsonObject, Reply, WireError, json_reply

JOBS_PATH = "/v1/fine_tuning/jobs"
_NAME = r"[^/]+"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request: what its path names, if anything, its query, and its body as it came and as JSON."""

    name: str
    query: Query
    content_type: str
    body: bytes
    request: JsonObject


_Answer = Callable[[Database, _Asked], Reply]
_ROUTES: tuple[tuple[re.Pattern[str], dict[str, _Answer]], ...] = (
    (
        re.compile("/v1/files"),
        {
            "POST": lambda database, asked: files.create_file(database, asked.content_type, asked.body),
            "GET": lambda database, asked: files.list_files(database, asked.query),
        },
    ),
    (
        re.compile(f"/v1/files/({_NAME})"),
        {
            "GET": lambda database, asked: files.retrieve_file(database, asked.name),
            "DELETE": lambda database, asked: files.delete_file(database, asked.name),
        },
    ),
    (
        re.compile(f"/v1/files/({_NAME})/content"),
        {"GET": lambda database, asked: files.file_content(database, asked.name)},
    ),
    (
        re.compile(JOBS_PATH),
        {
            "POST": lambda database, asked: jobs.create_job(database, asked.request),
            "GET": lambda database, asked: jobs.list_jobs(database, asked.query),
        },
    ),
    (
        re.compile(f"{JOBS_PATH}/({_NAME})"),
        {"GET": lambda database, asked: jobs.retrieve_job(database, asked.name)},
    ),
    (
        re.compile(f"{JOBS_PATH}/({_NAME})/cancel"),
        {"POST": lambda database, asked: jobs.cancel_job(database, asked.name)},
    ),
    (
        re.compile(f"{JOBS_PATH}/({_NAME})/events"),
        {"GET": lambda database, asked: jobs.list_events(database, asked.name, asked.query)},
    ),
    (
        re.compile(f"{JOBS_PATH}/({_NAME})/checkpoints"),
        {"GET": lambda database, asked: jobs.list_checkpoints(database, asked.name, asked.query)},
    ),
)


@dataclass(frozen=True, slots=True)
class KeptState:
    """Files, jobs and tuned models in `folder`; without one there are none, and whoever asks is told so."""

    folder: Path | None

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, query: str, request: JsonObject
    ) -> Reply:
        """The reply to a request about files or jobs; `request` is the JSON of its body. Raises `WireError`."""
        for pattern, methods in _ROUTES:
            found = pattern.fullmatch(path)
            if found is None:
                continue
            if method not in methods:
                allowed = ", ".join(methods)
                raise WireError(f"{path} takes {allowed}, not {method}.", status=405, headers={"allow": allowed})
            name = found[1] if found.groups() else ""
            content_type = headers.get("content-type", "")
            return methods[method](self._database(), _Asked(name, dict(parse_qsl(query)), content_type, body, request))
        raise WireError(f"There is no {path} here.", status=404, code="unknown_url")

    def models(self) -> list[JsonObject]:
        """The tuned models as the API's objects."""
        return [] if self.folder is None else models.tuned_models(Database(self.folder))

    def reader(self, model: str) -> TunedReader | None:
        """The reader that a tuned model is; None where there is none of this name. Raises `ModelError`."""
        return None if self.folder is None else models.tuned_reader(Database(self.folder), model)

    def delete_model(self, model: str) -> Reply | None:
        """Deletes a tuned model; None where there is none of this name."""
        if self.folder is None or not models.delete_model(Database(self.folder), model):
            return None
        return json_reply({"id": model, "object": "model", "deleted": True})

    def _database(self) -> Database:
        if self.folder is None:
            raise WireError(
                "This client of the embedded provider has no folder to keep files and jobs in: make it from the "
                "settings of a project.",
                status=503,
                code="no_state_dir",
            )
        return Database(self.folder)
