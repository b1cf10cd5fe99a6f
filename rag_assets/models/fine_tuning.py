"""Fine-tuning at any provider: files, jobs, events, checkpoints, results and models, over the one wire protocol.

Plain values come out, and errors are this project's. Creating a job is the one call that is never sent twice by itself:
it costs money, and a provider may have accepted it although no answer came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rag_assets.config import ModelSettings
from rag_assets.errors import ConfigurationError, InvalidRequestError, ProviderUnavailableError
from rag_assets.models.client import OPENAI_BASE_URL, make_client, translate_errors
from rag_assets.models.tuning_objects import (
    JobCheckpoint,
    JobEvent,
    ProviderJob,
    TuningRequest,
    UploadedFile,
    checkpoint_of,
    event_of,
    file_of,
    job_of,
)
from rag_assets.models.tuning_requests import NotAfter, all_older, pages

if TYPE_CHECKING:
    import openai

    from rag_assets.models.pacing import SharedLimits

INTENT_KEY = "rag_assets_intent"
"""The key of a job's metadata that names the intent in the ledger."""
PURPOSE: Literal["fine-tune"] = "fine-tune"
DASHBOARD = "https://platform.openai.com/finetune/"
HASTY_SECONDS = 10.0
EMBEDDED_SECONDS = 10.0
"""Far longer than the embedded provider takes to keep a job: it copies two files and writes a row."""
PAGE_ITEMS = 100
CLOCKS_DIFFER = timedelta(days=1)
"""A job is not looked for among those that the provider says are older than the intent by more than this."""


class FineTuner:
    """What `provider` can be asked about tuning. Thread safe; `close` it, or use it in a `with` statement.

    `limits` keeps the provider's turns for a client made here; a `client` that is given stays the caller's to close.
    A `hasty` one asks once and waits `HASTY_SECONDS` at most: for ticks, which ask again soon.
    Every method raises a `ModelError` where the provider fails or refuses.
    """

    def __init__(
        self,
        models: ModelSettings,
        provider: str,
        *,
        client: openai.OpenAI | None = None,
        environment: Mapping[str, str] | None = None,
        limits: SharedLimits | None = None,
        hasty: bool = False,
    ) -> None:
        known = models.all_providers()
        if provider not in known:
            raise ConfigurationError(
                f"The provider {provider!r} is not declared.",
                fix=f"Add models.providers.{provider}, or use one of: {', '.join(sorted(known))}.",
            )
        self.provider = provider
        self._settings = known[provider]
        self._not_after = NotAfter(provider)
        self._owns_client = client is None
        self._client = client or make_client(
            provider, self._settings, environment=environment, limits=limits, observer=self._not_after
        )
        if hasty:
            timeout_seconds = min(HASTY_SECONDS, self._settings.timeout_seconds)
            self._client = self._client.with_options(timeout=timeout_seconds, max_retries=0)

    @property
    def settled_after_seconds(self) -> float:
        """How long after `create` was called it may still create a job: a wait for its turn, and its way.

        The embedded provider ends with the process that calls it, and another process may call it this moment.
        """
        return EMBEDDED_SECONDS if self._settings.kind == "embedded" else 2 * self._settings.timeout_seconds

    def job_url(self, job_id: str) -> str:
        """Where a person can look at the job."""
        base = self._settings.base_url
        if self._settings.kind == "embedded":
            return "/assets/fine_tuning_job"  # it has no page but what Dagster's own shows of it
        if base is None or base.rstrip("/") == OPENAI_BASE_URL:
            return f"{DASHBOARD}{job_id}"
        return f"{base.rstrip('/')}/fine_tuning/jobs/{job_id}"

    def upload(self, path: Path, filename: str) -> UploadedFile:
        """Sends the file at `path` under the name `filename`. Raises `InvalidRequestError` where it is refused."""
        with self._translated(filename), path.open("rb") as file:
            sent = file_of(self._client.files.create(file=(filename, file), purpose=PURPOSE))
        if sent.rejected:
            raise InvalidRequestError(
                f"Provider {self.provider!r} rejected the file {filename}: {sent.details or 'it gives no reason'}.",
                fix="Mend the examples, and make a new training file.",
            )
        return sent

    def find_file(self, filename: str, size_bytes: int) -> UploadedFile | None:
        """A file that was uploaded before under this name with this size, unless it was rejected.

        None also where the provider does not list files: uploading once more costs nothing.
        """
        try:
            with self._translated(filename):
                for page in pages(self._client.files.list(purpose=PURPOSE)):
                    for one in map(file_of, page):
                        if one.filename == filename and one.size_bytes == size_bytes and not one.rejected:
                            return one
        except InvalidRequestError:
            return None
        return None

    def create(self, request: TuningRequest) -> ProviderJob:
        """Starts a job. Raises `ProviderUnavailableError` where it may have started all the same: look it up.

        Any other error says for certain that no job was created. A request that had to wait for its turn for longer
        than a request may take is not sent any more.
        """
        once = self._client.with_options(max_retries=0)
        with self._translated(request.base_model), self._not_after.limit(self.settled_after_seconds / 2):
            return self._job(once.fine_tuning.jobs.create(**self._body(request)))

    def find_job(
        self,
        *,
        intent_id: str,
        training_file_id: str | None,
        since: datetime,
        known: Iterable[str] = (),
    ) -> ProviderJob | None:
        """The job that was created for the intent, though its id never arrived here; None when there is none.

        Known by its metadata, or, at servers that drop metadata, by the training file, which was uploaded for this
        intent. `since` is when the intent was made; jobs whose ids are `known` belong to others.
        """
        others = frozenset(known)
        with self._translated(""):
            for page in pages(self._client.fine_tuning.jobs.list(limit=PAGE_ITEMS)):
                jobs = [self._job(one) for one in page]
                for job in jobs:
                    named = job.metadata.get(INTENT_KEY)
                    by_file = named is None and training_file_id is not None and job.training_file == training_file_id
                    if job.job_id not in others and (named == intent_id or by_file):
                        return job
                if all_older(jobs, since - CLOCKS_DIFFER):
                    return None
        return None

    def job(self, job_id: str) -> ProviderJob:
        """How the job is now."""
        with self._translated(job_id):
            return self._job(self._client.fine_tuning.jobs.retrieve(job_id))

    def cancel(self, job_id: str) -> ProviderJob:
        """Asks the provider to stop the job; returns how it is then."""
        with self._translated(job_id):
            return self._job(self._client.fine_tuning.jobs.cancel(job_id))

    def events(self, job_id: str, *, after: str | None = None, limit: int = 1_000) -> list[JobEvent]:
        """What happened since the event `after`, oldest first; the newest `limit` where there are more."""
        found: list[JobEvent] = []
        with self._translated(job_id):
            for page in pages(self._client.fine_tuning.jobs.list_events(job_id, limit=PAGE_ITEMS)):
                for event in map(event_of, page):
                    if event.event_id == after or len(found) == limit:
                        return found[::-1]
                    found.append(event)
        return found[::-1]

    def checkpoints(self, job_id: str) -> list[JobCheckpoint]:
        """The models that the job kept on its way, oldest first."""
        with self._translated(job_id):
            listed = pages(self._client.fine_tuning.jobs.checkpoints.list(job_id, limit=PAGE_ITEMS))
            found = [checkpoint_of(one) for page in listed for one in page]
        return sorted(found, key=lambda one: one.step)

    def result(self, file_id: str) -> bytes:
        """The content of a results file."""
        with self._translated(file_id):
            content: bytes = self._client.files.content(file_id).content
            return content

    def model_exists(self, model_id: str) -> bool:
        """Whether the provider has the model. True also where it answers no such question."""
        import openai

        try:
            with self._translated(model_id, let_pass=openai.NotFoundError):
                self._client.models.retrieve(model_id)
        except openai.NotFoundError as error:
            return error.code != "model_not_found" and self._is_listed(model_id)
        return True

    def delete_model(self, model_id: str) -> None:
        """Deletes a tuned model. Raises `ModelNotFoundError` when the provider does not have it."""
        with self._translated(model_id):
            self._client.models.delete(model_id)

    def close(self) -> None:
        """Closes the connections of a client made here."""
        if self._owns_client:
            self._client.close()

    def __enter__(self) -> FineTuner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _is_listed(self, model_id: str) -> bool:
        try:
            with self._translated(model_id):
                return any(one.id == model_id for one in self._client.models.list())
        except InvalidRequestError:  # no list of models either: nothing is known against it
            return True

    def _body(self, request: TuningRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": request.base_model,
            "training_file": request.training_file_id,
            "seed": request.seed,
            "metadata": {INTENT_KEY: request.intent_id},
        }
        if request.validation_file_id:
            body["validation_file"] = request.validation_file_id
        if request.suffix:
            body["suffix"] = request.suffix
        if request.hyperparameters:
            chosen = dict(request.hyperparameters)
            if self._settings.kind == "openai" and self._settings.base_url is None:
                body["method"] = {"type": "supervised", "supervised": {"hyperparameters": chosen}}
            else:  # the older name of the same, which compatible servers know
                body["hyperparameters"] = chosen
        return body

    def _job(self, answer: Any) -> ProviderJob:
        job = job_of(answer)
        if job is None:
            raise ProviderUnavailableError(
                f"Provider {self.provider!r}: the answer is not a fine-tuning job in the OpenAI format.",
                fix=f"Check models.providers.{self.provider}.base_url; it often ends in /v1.",
            )
        return job

    @contextmanager
    def _translated(self, what: str, let_pass: type[Exception] | None = None) -> Iterator[None]:
        passed: Exception | None = None
        with translate_errors(self.provider, what or "fine-tuning", secret=self._client.api_key):
            try:
                yield
            except Exception as error:
                if let_pass is None or not isinstance(error, let_pass):
                    raise
                passed = error
        if passed is not None:
            raise passed
