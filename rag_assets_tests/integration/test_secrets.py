"""A provider's key is in no file, log, output, run config or metadata, whatever goes wrong with that provider."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import dagster as dg
import pytest

from rag_assets.cli.instance import open_instance
from rag_assets.errors import RagAssetsError
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.gateway import FLOWERS, KEY_VARIABLE, MARK, use_gateway
from rag_assets_tests.integration.runs import ingest
from rag_assets_tests.openai_server import API_KEY, UNAUTHORIZED, Fault, OpenAIServer, openai_server

__all__ = ["openai_server"]

# Servers that repeat the key in what they say, each with the requests that one run makes of it.
REPEATING_THE_KEY = {
    UNAUTHORIZED.status: (1, UNAUTHORIZED),
    400: (2, Fault(status=400, message=f"The key {API_KEY} may not do this.")),  # the second asks if it is the texts
    500: (3, Fault(status=500, message=f"Bearer {API_KEY} broke the server.")),  # the step is tried three times
    429: (1, Fault(status=429, code="insufficient_quota", message=f"{API_KEY} is out of credit.")),
}


def files_with(folder: Path, secret: str) -> list[str]:
    """Every file below `folder` that holds `secret`, in its text or its name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if secret in path.name or secret.encode() in path.read_bytes()]


def test_no_key_is_kept_anywhere(
    small_project: SmallProject,
    openai_server: OpenAIServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.DEBUG)
    use_gateway(small_project, openai_server, monkeypatch, max_retries=0)
    small_project.write("wiki/flowers.md", FLOWERS)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("dagster._core.definitions.policy.random", lambda: 0.0)
    with small_project.open() as project:
        persistent = open_instance(project.settings)
    monkeypatch.setattr(small_project, "instance", persistent)
    said: list[str] = []
    with persistent:
        for status, (requests, fault) in REPEATING_THE_KEY.items():
            openai_server.script(*[fault] * requests)
            outcome = ingest(small_project, release=False)
            assert f"status {status}" in str(outcome.sources["wiki"].error)
            said.append(str(outcome))
        openai_server.refuse = lambda text: MARK in text
        said.append(str(ingest(small_project)))
        with small_project.open() as project:
            project.ask("How long does the gateway wait?")
            for _, fault in REPEATING_THE_KEY.values():
                openai_server.script("ok", fault)
                with pytest.raises(RagAssetsError) as error:
                    project.ask("How long does the gateway wait?")
                said += [str(error.value), "".join(traceback.format_exception(error.value))]
            said += [str(failure) for failure in project.ledger.failures()]
        runs = persistent.get_runs()
        assert len(runs) == len(REPEATING_THE_KEY) + 2
        for run in runs:
            events = persistent.all_logs(run.run_id)
            said += [str(run.run_config), str(run.tags), dg.serialize_value(run), *map(dg.serialize_value, events)]
    out, err = capfd.readouterr()
    said += [out, err, caplog.text, *(str(record.__dict__) for record in caplog.records)]
    assert all(request.headers["authorization"] == f"Bearer {API_KEY}" for request in openai_server.requests)
    assert (tmp_path / "home/history").is_dir()
    assert (tmp_path / ".rag_assets/ledger.sqlite").is_file()
    assert [text for text in said if API_KEY in text] == []
    assert files_with(tmp_path, API_KEY) == []
    assert files_with(tmp_path, API_KEY[8:]) == []
    assert files_with(tmp_path, KEY_VARIABLE) == [str(small_project.config_file)]
