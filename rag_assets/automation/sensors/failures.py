"""Tells a webhook of every failed run."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping

import dagster as dg

from rag_assets.automation import history
from rag_assets.automation.failures import failure_of
from rag_assets.automation.opening import with_project
from rag_assets.resources.project import ProjectResource

TIMEOUT_SECONDS = 3.0
ATTEMPTS = 2
PAUSE_SECONDS = 0.5


@dg.run_failure_sensor(
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the URL in the environment variable that automation.webhook_url_env names of every failed run: "
    "job, run, source, what went wrong, and when, as JSON. Off while none is named. A webhook that cannot be reached "
    "is said here and is not tried again for that run.",
)
def report_failures(context: dg.RunFailureSensorContext, project: ProjectResource) -> dg.SkipReason:
    variable = with_project(project, lambda opened: opened.settings.automation.webhook_url_env)
    if isinstance(variable, dg.SkipReason):
        return variable
    if variable is None:
        return dg.SkipReason("Off: automation.webhook_url_env names no environment variable.")
    url = os.environ.get(variable)
    if not url:
        return dg.SkipReason(f"Nobody was told: the environment variable {variable} is not set.")
    run = context.dagster_run
    record = context.instance.get_run_record_by_id(run.run_id)
    ended_at = record.update_timestamp if record else None
    message = {
        "job": run.job_name,
        "run_id": run.run_id,
        "source": run.tags.get(history.PARTITION_TAG),
        "error": failure_of(context.instance, run.run_id).error,
        "time": history.as_utc(ended_at).isoformat() if ended_at else None,
    }
    return dg.SkipReason(post(url, message))


def post(url: str, message: Mapping[str, str | None]) -> str:
    """Posts `message` as JSON and says how that went. Never raises, nor repeats the URL, which may be a secret."""
    import httpx2

    logging.getLogger("httpx2").setLevel(logging.WARNING)  # below that it logs the URL of every request
    said = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        try:
            answer = httpx2.post(url, json=dict(message), timeout=TIMEOUT_SECONDS)
        except Exception as error:  # an address that cannot be read fails in ways of its own
            said = f"it cannot be reached ({type(error).__name__})"
            continue
        if answer.is_success:
            return f"Told the webhook that {message['job']} failed."
        said = f"it answered {answer.status_code}"
        if answer.status_code < 500:
            break
    return f"The webhook was not told that {message['job']} failed: {said}."
