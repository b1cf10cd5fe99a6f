"""The client against a real server: its webserver, its daemon, its runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rag_assets.client import Client, Run, events, queries
from rag_assets.client.model import REQUEST_TAG
from rag_assets.errors import RunError, RunTimeoutError, UnknownSourceError
from rag_assets.project import Project
from rag_assets_tests.cli.command import configure
from rag_assets_tests.client.server import ON_CALL, serving

pytestmark = pytest.mark.slow
SENSOR_SECONDS = 120.0
SETTINGS = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sources with a document each; what `poor` has does not fit into its budget."""
    folder = tmp_path_factory.mktemp("served")
    file = configure(folder, "wiki", "poor", settings=ON_CALL)
    file.write_text(file.read_text() + "    token_budget: 1\n")
    (folder / "wiki" / "bread.md").write_text("# Bread\n\nRye bread needs a sourdough starter.\n")
    (folder / "poor" / "wine.md").write_text("# Wine\n\nThe Riesling is stored at eleven degrees.\n")
    return folder


@pytest.fixture(scope="module")
def client(root: Path) -> Iterator[Client]:
    with serving(root) as url, Client(url) as client:
        yield client


def test_jobs_and_sources_are_those_of_the_project(client: Client) -> None:
    jobs = {job.name: job for job in client.jobs()}
    assert {"ingest_source", "release_index", "refresh_all"} <= jobs.keys()
    assert jobs["ingest_source"].partitioned and not jobs["release_index"].partitioned
    assert "__ASSET_JOB" not in jobs
    assert client.sources() == ("poor", "wiki")


def test_a_run_brings_metadata_and_verdicts(client: Client, root: Path) -> None:
    statuses: list[str] = []
    run = client.launch("ingest_source", source="wiki", tags={"team": "search"})
    ended = client.wait(run.run_id, timeout_seconds=120, on_status=lambda run: statuses.append(run.status))
    result = client.result(run.run_id)
    assert (ended.status, statuses[-1], result.error) == ("SUCCESS", "SUCCESS", None)
    assert ended.tags["team"] == "search"
    assert ended.ended_at is not None and ended.started_at is not None
    assert ended.created_at <= ended.started_at <= ended.ended_at
    assert {made.partition for made in result.materializations} == {"wiki"}
    with Project.open(root / "rag_assets.yaml") as project:
        stored = project.store.chunks("wiki").rows()
    made = result.materialization("chunks").metadata
    assert made["dagster/partition_row_count"] == stored.num_rows == 1
    assert made["tokens"] == sum(stored["token_count"].to_pylist())
    verdicts = {verdict.check: verdict for verdict in result.checks}
    assert {"token_budget", "embedding_integrity", "completeness"} <= verdicts.keys()
    budget = verdicts["token_budget"]
    assert (budget.asset, budget.partition, budget.passed, budget.severity) == ("chunks", "wiki", True, "ERROR")
    with pytest.raises(KeyError):
        result.materialization("release")
    with pytest.raises(RunError, match="cannot be cancelled"):
        client.cancel(run.run_id)


def test_a_failed_run_says_what_stopped_it(client: Client) -> None:
    run = client.launch("ingest_source", source="poor")
    assert client.wait(run.run_id, timeout_seconds=120).status == "FAILURE"
    result = client.result(run.run_id)
    budget = next(verdict for verdict in result.checks if verdict.check == "token_budget")
    assert not budget.passed
    assert result.error is not None
    assert budget.description in result.error
    assert "Traceback" not in result.error and "\n" not in result.error


def test_the_same_request_is_launched_once(client: Client) -> None:
    first = client.launch("ingest_source", source="wiki", run_config=SETTINGS, request_id="night-1")
    again = client.launch("ingest_source", source="wiki", run_config=SETTINGS, request_id="night-1")
    assert again.run_id == first.run_id
    other = client.launch("ingest_source", source="poor", run_config=SETTINGS, request_id="night-1")
    assert other.run_id != first.run_id, "the id of a request covers one job and one source"
    with pytest.raises(RunError, match="whose configuration is another"):
        client.launch("ingest_source", source="wiki", request_id="night-1")
    for run in (first, other):
        client.wait(run.run_id, timeout_seconds=120)
    ended = client.launch("ingest_source", source="wiki", run_config=SETTINGS, request_id="night-1")
    assert (ended.run_id, ended.ended) == (first.run_id, True)


def test_the_same_request_at_the_same_moment_leaves_one_run(client: Client) -> None:
    callers = 4
    together = threading.Barrier(callers)

    def launch(_: int) -> Run:
        with Client(client._server.http.url) as own:
            together.wait()
            return own.launch("ingest_source", source="wiki", request_id="race")

    with ThreadPoolExecutor(callers) as pool:
        answered = {run.run_id for run in pool.map(launch, range(callers))}
    assert len(answered) == 1
    client.wait(answered.pop(), timeout_seconds=120)
    runs = _with_request(client, "race")
    assert [run.status for run in runs if run.status != "CANCELED"] == ["SUCCESS"]


def test_a_run_can_be_cancelled(client: Client) -> None:
    run = client.launch("ingest_source", source="wiki")
    client.cancel(run.run_id)
    assert client.wait(run.run_id, timeout_seconds=120).status == "CANCELED"
    assert client.result(run.run_id).error == "The run was cancelled."


def test_a_wait_ends_in_time_and_the_run_goes_on(client: Client) -> None:
    run = client.launch("ingest_source", source="wiki")
    with pytest.raises(RunTimeoutError, match=rf"{run.run_id} \(ingest_source of wiki\) is still"):
        client.wait(run.run_id, timeout_seconds=0)
    assert client.wait(run.run_id, timeout_seconds=120).succeeded


def test_what_cannot_run_is_refused_before_anything_is_launched(client: Client) -> None:
    before = len(_with_request(client, "wrong"))
    wrong_config: dict[str, Any] = {"ops": {"nonsense": {}}}
    mistakes: list[tuple[type[Exception], str, str, dict[str, Any]]] = [
        (RunError, "no job 'bake'; the jobs are: .*ingest_source", "bake", {}),
        (UnknownSourceError, "no source 'gone'; it knows: poor, wiki", "ingest_source", {"source": "gone"}),
        (RunError, "none is named", "ingest_source", {}),
        (RunError, "takes none", "release_index", {"source": "wiki"}),
        (RunError, "nonsense", "ingest_source", {"source": "wiki", "run_config": wrong_config}),
    ]
    for error, match, job, more in mistakes:
        with pytest.raises(error, match=match):
            client.validate(job, **more)
        with pytest.raises(error, match=match):
            client.launch(job, request_id="wrong", **more)
    with pytest.raises(RunError, match="request id is not empty"):
        client.launch("ingest_source", source="wiki", request_id=" ")
    with pytest.raises(RunError, match="Use source= instead"):
        client.launch("ingest_source", source="wiki", tags={"dagster/partition": "poor"})
    assert len(_with_request(client, "wrong")) == before == 0
    client.validate("ingest_source", source="wiki", run_config=SETTINGS)


def test_runs_that_do_not_exist(client: Client) -> None:
    for ask in (client.run, client.result, client.wait, client.cancel):
        with pytest.raises(RunError, match="no run 'nope'"):
            ask("nope")


def test_reported_new_data_is_kept_and_starts_the_chain(client: Client) -> None:
    with pytest.raises(UnknownSourceError, match="'gone'"):
        client.report_new_data("gone")
    before = {run.run_id for run in _tagged(client, "dagster/sensor_name", "ingest_reported")}
    client.report_new_data("wiki", metadata={"commit": "4f2a", "files": 3})
    query = """{ assetNodes(assetKeys: [{path: ["source_updates"]}]) { assetMaterializations(limit: 5) {
        partition metadataEntries { label ... on TextMetadataEntry { text } ... on IntMetadataEntry { intRepr } }
    } } }"""
    reported = client._server.http.graphql(query)["assetNodes"][0]["assetMaterializations"]
    assert [(one["partition"], events.metadata(one)) for one in reported] == [("wiki", {"commit": "4f2a", "files": 3})]
    deadline = time.monotonic() + SENSOR_SECONDS
    while not (new := {run.run_id for run in _tagged(client, "dagster/sensor_name", "ingest_reported")} - before):
        assert time.monotonic() < deadline, "no run was launched for the report"
        time.sleep(0.5)
    started = client.wait(new.pop(), timeout_seconds=120)
    assert (started.job, started.source, started.status) == ("ingest_source", "wiki", "SUCCESS")


def _with_request(client: Client, request_id: str) -> list[Run]:
    return _tagged(client, REQUEST_TAG, request_id)


def _tagged(client: Client, key: str, value: str) -> list[Run]:
    wanted = {"filter": {"tags": [{"key": key, "value": value}]}}
    return [events.run(run) for run in client._server.ask("runsOrError", "Runs", queries.RUNS, wanted)["results"]]
