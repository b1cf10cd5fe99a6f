"""Each fault that the quality gate is for, planted in the examples and released through the real daemon.

The release must be stopped, the former one must still answer, and the report must say what broke.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rag_assets.client import Client, RunResult
from rag_assets.project import Project
from rag_assets_tests.cli.command import rag_assets
from rag_assets_tests.client.server import serving

ROOT = Path(__file__).parents[2]
SOURCES = ("handbook", "playbooks", "reference")
QUESTION = "What is the constant k in reciprocal rank fusion?"
LAUNCH = """
mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  ... on LaunchRunSuccess { run { runId } } } }
"""
MANUAL = """
automation: {watch_files: false, sync_sources: false, release_when_settled: false, schedules: false}
"""

pytestmark = pytest.mark.slow


@dataclass
class Plant:
    """A copy of the examples that a server runs; `release` is what served before any fault."""

    folder: Path
    client: Client
    url: str
    release: str

    @property
    def config(self) -> Path:
        return self.folder / "rag_assets.yaml"

    def run(self, job: str, source: str | None = None) -> RunResult:
        launched = self.client.launch(job, source=source)
        self.client.wait(launched.run_id, timeout_seconds=300)
        return self.client.result(launched.run_id)

    def ingest_and_release(self) -> RunResult:
        for name in SOURCES:
            assert self.run("ingest_source", name).run.succeeded
        return self.run("release_index")

    def materialize_alone(self, asset: str) -> RunResult:
        """What the button of one asset in the UI sends."""
        import httpx2

        selector = {
            "repositoryLocationName": "rag_assets",
            "repositoryName": "__repository__",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": [asset]}],
            "assetCheckSelection": [],
        }
        answer = httpx2.post(
            f"{self.url}/graphql",
            json={"query": LAUNCH, "variables": {"params": {"selector": selector, "runConfigData": {}}}},
            timeout=60,
        ).json()
        run_id = answer["data"]["launchRun"]["run"]["runId"]
        self.client.wait(run_id, timeout_seconds=120)
        return self.client.result(run_id)

    def assert_stopped(self, result: RunResult, *, by: str) -> str:
        """The release was stopped by `by`, what served still answers; returns the report as Markdown."""
        assert not result.run.succeeded
        verdict = next(check for check in result.checks if check.check == "quality")
        assert not verdict.passed
        assert by in verdict.description
        assert "release" not in {made.asset for made in result.materializations}
        answered = rag_assets(self.folder, "ask", QUESTION, "--json").json
        assert answered["release"] == self.release
        assert "60" in answered["answer"]
        refused = self.materialize_alone("release")
        assert not refused.run.succeeded
        assert "The gate 'quality' failed" in (refused.error or "")
        report = Path(result.materialization("eval_report").metadata["report_path"])
        assert by in report.read_text("utf-8")
        return report.with_suffix(".md").read_text("utf-8")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Client, str]]:
    folder = tmp_path_factory.mktemp("faults") / "project"
    folder.mkdir()
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copy(ROOT / "rag_assets.yaml", folder)
    with (folder / "rag_assets.yaml").open("a") as file:
        file.write(MANUAL)
    done = rag_assets(folder, "ingest")
    assert done.code == 0, done.err
    with serving(folder) as url, Client(url) as client:
        yield folder, client, url


@pytest.fixture
def plant(server: tuple[Path, Client, str]) -> Iterator[Plant]:
    """The server, put back into a sound state afterwards."""
    folder, client, url = server
    configuration = (folder / "rag_assets.yaml").read_text("utf-8")
    with Project.open(folder / "rag_assets.yaml") as project:
        release = project.release().release_id
    yield Plant(folder, client, url, release)
    (folder / "rag_assets.yaml").write_text(configuration, "utf-8")


def test_a_broken_chunker(plant: Plant) -> None:
    settings = plant.config.read_text("utf-8")
    plant.config.write_text(settings + "\nchunking: {max_tokens: 16, heading_prefix: false}\n", "utf-8")
    report = plant.assert_stopped(plant.ingest_and_release(), by="mrr_at_10")
    assert "max_tokens" in report


def test_an_emptied_source(plant: Plant) -> None:
    reference = plant.folder / "examples" / "reference"
    kept = plant.folder / "kept"
    shutil.move(reference, kept)
    reference.mkdir()
    try:
        assert not plant.run("ingest_source", "reference").run.succeeded  # held: nearly all of it is gone
        done = rag_assets(plant.folder, "ingest", "--source", "reference", "--confirm-removals", "--no-release")
        assert done.code == 0, done.err
        report = plant.assert_stopped(plant.run("release_index"), by="lost their expected documents")
        assert "reference" in report
        gone = rag_assets(plant.folder, "search", "tokenizer", "--source", "reference", "--json").json
        assert gone["results"] == []  # the serving release has them, and nobody is answered from them
    finally:
        shutil.rmtree(reference)
        shutil.move(kept, reference)
    assert plant.ingest_and_release().run.succeeded


def test_shuffled_vectors(plant: Plant) -> None:
    shuffle_vectors(plant.config)
    settings = plant.config.read_text("utf-8")
    # Another generation is built from the vectors that are stored.
    plant.config.write_text(settings + "\nchunking: {max_tokens: 239}\n", "utf-8")
    plant.assert_stopped(plant.ingest_and_release(), by="mrr_at_10")


def shuffle_vectors(config: Path) -> None:
    """Gives every stored input the vector of another one, behind the product's back."""
    import lancedb

    with Project.open(config) as project:
        space = project.generation.space
        name = project.store.embeddings(space.name, space.dimension).name
        table = lancedb.connect(project.settings.store_uri).open_table(name)
    rows = table.to_arrow()
    order = np.random.default_rng(0).permutation(rows.num_rows)
    shuffled = rows.set_column(
        rows.schema.get_field_index("vector"), rows.schema.field("vector"), rows["vector"].take(pa.array(order))
    )
    table.merge_insert("input_hash").when_matched_update_all().execute(shuffled)
