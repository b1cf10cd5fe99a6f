"""Ctrl-C ends a run: the step is not tried again, nothing after it runs, and the next run goes on from there."""

from __future__ import annotations

import os
import signal

import dagster as dg
import pytest

from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.gateway import gateway_settings, use_gateway
from rag_assets_tests.integration.runs import ingest, serving
from rag_assets_tests.openai_server import Kind, OpenAIServer, openai_server

__all__ = ["openai_server"]


def test_an_interrupt_while_embedding_ends_the_command(
    small_project: SmallProject, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_gateway(small_project, openai_server, monkeypatch)
    small_project.configure(gateway_settings(openai_server, batch_size=1), wiki="")
    pressed: list[int] = []

    def press_once() -> Kind:
        if not pressed:
            pressed.append(signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return "ok"

    openai_server.weather = press_once
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ingest(small_project)
    finally:
        signal.signal(signal.SIGINT, before)
    runs = small_project.instance.get_runs()
    assert [(run.job_name, run.status) for run in runs] == [("ingest_source", dg.DagsterRunStatus.FAILURE)]
    assert serving(small_project) is None
    assert all(run.succeeded for run in ingest(small_project).runs)
    assert serving(small_project) is not None
