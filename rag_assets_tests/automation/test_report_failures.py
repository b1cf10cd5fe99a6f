"""A failed run is told to a webhook, and a webhook that is down harms nothing."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dagster as dg
import pytest

from rag_assets.automation.sensors import failures
from rag_assets.resources.project import ProjectResource
from rag_assets_tests.automation.ticks import ingest_one
from rag_assets_tests.conftest import SmallProject


@dataclass
class Webhook:
    """A server on loopback that answers with the codes in `answers`, then with 204."""

    url: str
    answers: list[int] = field(default_factory=list)
    bodies: list[dict[str, object]] = field(default_factory=list)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    found = Webhook("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(found.answers.pop(0) if found.answers else 204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/hooks/very-secret"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "PAUSE_SECONDS", 0.01)


def tell(project: SmallProject) -> str:
    """What the sensor says of a run that failed for its token budget."""
    project.write("wiki/a.md", "# A\n\nApples.\n")
    run_id = ingest_one(project, "wiki").run_id
    run = project.instance.get_run_by_id(run_id)
    event = project.instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)[0].dagster_event
    assert run is not None
    assert event is not None
    with dg.build_run_status_sensor_context(
        failures.report_failures.name, event, project.instance, run, resources={"project": ProjectResource()}
    ) as context:
        reason = failures.report_failures(context.for_run_failure())
    assert isinstance(reason, dg.SkipReason)
    return str(reason.skip_message)


def test_a_failed_run_is_told_with_its_source_and_its_sentence(
    small_project: SmallProject, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OUR_HOOK", webhook.url)
    small_project.configure("automation:\n  webhook_url_env: OUR_HOOK", wiki="token_budget: 1")
    webhook.answers = [503]
    assert tell(small_project) == "Told the webhook that ingest_source failed."
    assert webhook.bodies[0] == webhook.bodies[1], "a server that is busy is asked again"
    body = webhook.bodies[1]
    assert set(body) == {"job", "run_id", "source", "error", "time"}
    assert body["source"] == "wiki"
    assert "token_budget" in str(body["error"])
    assert str(body["time"]).endswith("+00:00")
    assert "very-secret" not in caplog.text


def test_a_webhook_that_is_down_or_absent_harms_nothing(
    small_project: SmallProject, monkeypatch: pytest.MonkeyPatch, webhook: Webhook
) -> None:
    small_project.configure(wiki="token_budget: 1")
    assert tell(small_project).startswith("Off:")
    small_project.configure("automation:\n  webhook_url_env: OUR_HOOK", wiki="token_budget: 1")
    assert "OUR_HOOK is not set" in tell(small_project)
    message = {"job": "ingest_source"}
    for url in ("http://127.0.0.1:9/secret", "nonsense", "http://[broken"):
        said = failures.post(url, message)
        assert "was not told" in said
        assert "secret" not in said
    webhook.answers = [404]
    assert failures.post(webhook.url, message).endswith("it answered 404.")
    assert len(webhook.bodies) == 1
