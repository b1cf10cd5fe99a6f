"""A server on loopback that behaves like OpenAI's files and fine-tuning API, fails as told, and counts requests.

    with FineTuningServer() as server:
        server.fail("create", Fault(500, after=True))      # the job is created, and nobody is told
        ...
        assert len(server.jobs) == 1

A job ends after it was retrieved `polls` times, as `outcome` says. What is asked is named by `CALLS`.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest

API_KEY = "sk-test-fine-tuning-0123456789"
Outcome = Literal["succeeded", "failed", "cancelled", "no_model", "model_none", "never"]
CALLS: tuple[tuple[str, str, str], ...] = (
    ("upload", "POST", r"/v1/files"),
    ("list_files", "GET", r"/v1/files"),
    ("content", "GET", r"/v1/files/(?P<id>[^/]+)/content"),
    ("create", "POST", r"/v1/fine_tuning/jobs"),
    ("list_jobs", "GET", r"/v1/fine_tuning/jobs"),
    ("retrieve", "GET", r"/v1/fine_tuning/jobs/(?P<id>[^/]+)"),
    ("events", "GET", r"/v1/fine_tuning/jobs/(?P<id>[^/]+)/events"),
    ("checkpoints", "GET", r"/v1/fine_tuning/jobs/(?P<id>[^/]+)/checkpoints"),
    ("cancel", "POST", r"/v1/fine_tuning/jobs/(?P<id>[^/]+)/cancel"),
    ("model", "GET", r"/v1/models/(?P<id>[^/]+)"),
    ("models", "GET", r"/v1/models"),
    ("delete_model", "DELETE", r"/v1/models/(?P<id>[^/]+)"),
)
STEPS = 6
TOKENS_PER_LINE = 100


@dataclass(frozen=True)
class Fault:
    """An error to answer with. `after`: the work was done all the same. `hang`: nothing is answered at all."""

    status: int = 500
    code: str | None = None
    message: str = "scripted"
    after: bool = False
    hang: bool = False


class FineTuningServer:
    """Listens on a free port of 127.0.0.1 from `__enter__` to `__exit__`.

    `jobs` are those that were created, each of them paid for; `calls` counts requests by name, refused and retried ones
    included. `drops_metadata`: jobs forget the metadata they were created with, as some compatible servers do.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, bytes] = {}
        self.models: set[str] = {"gpt-4o-mini"}
        self.bodies: list[dict[str, Any]] = []
        self.calls: Counter[str] = Counter()
        self.outcome: Outcome = "succeeded"
        self.polls = 1
        self.reason = {"code": "exceeded_quota", "message": "Your training file has a line that nobody likes."}
        self.drops_metadata = False
        self.page_size = 20
        self.released = threading.Event()
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._lock = threading.RLock()
        self._http: ThreadingHTTPServer | None = None

    @property
    def base_url(self) -> str:
        assert self._http is not None, "the server runs inside its `with` statement"
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def fail(self, call: str, *faults: Fault) -> None:
        """Appends what the next requests of this name meet, one each."""
        with self._lock:
            self._faults[call].extend(faults)

    def training_files(self) -> list[dict[str, Any]]:
        """The files that were uploaded for training."""
        return [file for file in self.files.values() if file["purpose"] == "fine-tune"]

    def __enter__(self) -> FineTuningServer:
        owner = self

        class Handler(_Handler):
            server_double = owner

        self._http = _QuietServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._http is not None
        self.released.set()
        self._http.shutdown()
        self._http.server_close()

    def answer(self, method: str, url: str, headers: Any, body: bytes) -> tuple[int, bytes] | None:
        """Status and body; None: no answer at all. Called by the handler."""
        parts = urlsplit(url)
        name, item = _named(method, parts.path)
        with self._lock:
            self.calls[name] += 1
            fault = self._faults[name].popleft() if self._faults[name] else None
            done = None
            if fault is None or fault.after:
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                done = self._do(name, item, query, headers, body)
        if fault is None:
            assert done is not None
            return done
        if fault.hang:
            return None
        return _error(fault.status, fault.message, fault.code)

    def _do(self, name: str, item: str, query: dict[str, str], headers: Any, body: bytes) -> tuple[int, bytes]:
        if name == "upload":
            return self._uploaded(headers, body)
        if name == "list_files":
            found = [file for file in self.files.values() if file["purpose"] == query.get("purpose", file["purpose"])]
            return self._page(found[::-1], query)
        if name == "content":
            return (200, self.contents[item]) if item in self.contents else _error(404, "No such file.")
        if name == "create":
            return self._created(json.loads(body))
        if name == "list_jobs":
            return self._page(list(self.jobs.values())[::-1], query)
        if name in ("model", "models", "delete_model"):
            return self._model(name, item)
        job = self.jobs.get(item)
        if job is None:
            return _error(404, f"Could not find fine tune: {item}", "fine_tune_not_found")
        if name == "retrieve":
            self._advance(job)
            return _json(_shown(job))
        if name == "events":
            return self._page(job["_events"][::-1], query)
        if name == "checkpoints":
            return self._page([], query)
        if name == "cancel":
            return self._cancelled(job)
        return _error(404, "Invalid URL.")

    def _uploaded(self, headers: Any, body: bytes) -> tuple[int, bytes]:
        message = BytesParser(policy=HTTP).parsebytes(
            b"Content-Type: " + headers["content-type"].encode() + b"\r\n\r\n" + body
        )
        fields = {part.get_param("name", header="content-disposition"): part for part in message.iter_parts()}
        content = _bytes(fields["file"])
        return _json(self._keep(str(fields["file"].get_filename()), content, _bytes(fields["purpose"]).decode()))

    def _keep(self, filename: str, content: bytes, purpose: str) -> dict[str, Any]:
        file_id = f"file-{len(self.files) + 1}"
        self.contents[file_id] = content
        self.files[file_id] = {
            "id": file_id, "object": "file", "bytes": len(content), "created_at": int(time.time()),
            "filename": filename, "purpose": purpose, "status": "processed",
        }  # fmt: skip
        return self.files[file_id]

    def _created(self, request: dict[str, Any]) -> tuple[int, bytes]:
        self.bodies.append(request)
        for key in ("training_file", "validation_file"):
            if request.get(key) not in (None, *self.files):
                return _error(400, f"File '{request[key]}' does not exist", "invalid_training_file")
        if request["model"] not in self.models:
            return _error(404, f"The model '{request['model']}' does not exist", "model_not_found")
        job_id = f"ftjob-{len(self.jobs) + 1}"
        self.jobs[job_id] = {
            "id": job_id, "object": "fine_tuning.job", "created_at": int(time.time()), "model": request["model"],
            "status": "validating_files", "fine_tuned_model": None, "finished_at": None, "error": None,
            "hyperparameters": {"n_epochs": 3, "batch_size": 1, **request.get("hyperparameters", {})},
            "organization_id": "org-1", "result_files": [], "seed": request.get("seed", 1), "trained_tokens": None,
            "training_file": request["training_file"], "validation_file": request.get("validation_file"),
            "metadata": None if self.drops_metadata else request.get("metadata"), "_polls": 0, "_events": [],
        }  # fmt: skip
        self._event(self.jobs[job_id], "Created fine-tuning job")
        return _json(_shown(self.jobs[job_id]))

    def _advance(self, job: dict[str, Any]) -> None:
        if job["status"] in ("succeeded", "failed", "cancelled"):
            return
        job["_polls"] += 1
        job["status"] = "running"
        self._event(job, f"Step {job['_polls']}/{STEPS}: training loss=0.5", step=job["_polls"], train_loss=0.5)
        if job["_polls"] >= self.polls and self.outcome != "never":
            self._end(job)

    def _end(self, job: dict[str, Any]) -> None:
        job["finished_at"] = job["created_at"] + 60
        if self.outcome == "failed":
            job |= {"status": "failed", "error": {**self.reason, "param": "training_file"}}
        elif self.outcome == "cancelled":
            job["status"] = "cancelled"
        else:
            named = f"ft:{job['model']}:org::{job['id']}"
            model = {"succeeded": named, "no_model": None, "model_none": "None"}[self.outcome]
            lines = self.contents[job["training_file"]].count(b"\n")
            result = self._keep("step_metrics.csv", base64.b64encode(_results().encode()), "fine-tune-results")
            job |= {"status": "succeeded", "fine_tuned_model": model, "result_files": [result["id"]]}
            job["trained_tokens"] = lines * TOKENS_PER_LINE * job["hyperparameters"]["n_epochs"]
            if model == named:
                self.models.add(named)
        self._event(job, f"The job {job['status']}")

    def _cancelled(self, job: dict[str, Any]) -> tuple[int, bytes]:
        if job["status"] in ("succeeded", "failed", "cancelled"):
            return _error(400, f"Job has already {job['status']}.", "invalid_request_error")
        job |= {"status": "cancelled", "finished_at": int(time.time())}
        self._event(job, "The job was cancelled")
        return _json(_shown(job))

    def _event(self, job: dict[str, Any], message: str, **data: Any) -> None:
        number = len(job["_events"]) + 1
        job["_events"].append({
            "id": f"ftevent-{job['id']}-{number}", "object": "fine_tuning.job.event", "created_at": int(time.time()),
            "level": "info", "message": message, "type": "metrics" if data else "message", "data": data,
        })  # fmt: skip

    def _model(self, name: str, item: str) -> tuple[int, bytes]:
        if name == "models":
            return _json({"object": "list", "data": [{"id": one, "object": "model"} for one in sorted(self.models)]})
        if item not in self.models:
            return _error(404, f"The model '{item}' does not exist", "model_not_found")
        if name == "delete_model":
            self.models.remove(item)
            return _json({"id": item, "object": "model", "deleted": True})
        return _json({"id": item, "object": "model", "created": 1, "owned_by": "org"})

    def _page(self, items: list[dict[str, Any]], query: dict[str, str]) -> tuple[int, bytes]:
        ids = [item["id"] for item in items]
        start = ids.index(query["after"]) + 1 if query.get("after") in ids else 0
        size = min(self.page_size, int(query.get("limit", self.page_size)))
        data = [_shown(item) for item in items[start : start + size]]
        return _json({"object": "list", "data": data, "has_more": start + size < len(items)})


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server_double: FineTuningServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        """Says nothing."""

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        answered = self.server_double.answer(self.command, self.path, self.headers, body)
        if answered is None:
            self.server_double.released.wait(30)
            self.close_connection = True
            return
        status, data = answered
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("retry-after-ms", "5")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _named(method: str, path: str) -> tuple[str, str]:
    for name, of_method, pattern in CALLS:
        found = re.fullmatch(pattern, path)
        if of_method == method and found:
            return name, found.groupdict().get("id", "")
    return "unknown", ""


def _bytes(part: Any) -> bytes:
    return bytes(part.get_payload(decode=True))


def _shown(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if not key.startswith("_")}


def _json(value: dict[str, Any]) -> tuple[int, bytes]:
    return 200, json.dumps(value).encode()


def _error(status: int, message: str, code: str | None = None) -> tuple[int, bytes]:
    return status, json.dumps({"error": {"message": message, "type": "error", "param": None, "code": code}}).encode()


def _results() -> str:
    """A results file as OpenAI writes it: validation at every second step."""
    lines = ["step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"]
    for step in range(1, STEPS + 1):
        valid = f"{1.2 / step:.5f},{0.4 + 0.05 * step:.5f}" if step % 2 == 0 else ","
        lines.append(f"{step},{1.0 / step:.5f},{0.5 + 0.05 * step:.5f},{valid}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def fine_tuning_server() -> Iterator[FineTuningServer]:
    """A running server; import this fixture into a `conftest.py` or a test module to use it."""
    with FineTuningServer() as server:
        yield server
