"""A small project in a temporary folder, and the ways tests run it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest

from rag_assets.project import Project

QUIET_ENVIRONMENT = ("RAG_ASSETS_CONFIG", "DAGSTER_HOME", "OPENAI_API_KEY")


@dataclass
class SmallProject:
    """A project of its own: `root` holds the configuration and a folder per source."""

    root: Path
    instance: dg.DagsterInstance
    request_log: Path
    sources: dict[str, str] = field(default_factory=dict)
    settings: str = ""

    @property
    def config_file(self) -> Path:
        return self.root / "rag_assets.yaml"

    def configure(self, settings: str = "", **sources: str) -> None:
        """Writes the configuration: `sources` maps a name to extra settings of it, as indented YAML or nothing."""
        self.sources = dict(sources)
        lines = [textwrap.dedent(settings).strip(), "sources:" if sources else "sources: {}"]
        for name, extra in sources.items():
            (self.root / name).mkdir(exist_ok=True)
            lines.append(f"  {name}:\n    path: {name}")
            lines += [f"    {line}" for line in textwrap.dedent(extra).strip().splitlines()]
        self.config_file.write_text("\n".join(line for line in lines if line) + "\n", "utf-8")

    def write(self, uri: str, text: str | bytes) -> Path:
        """Writes `<source>/<path>`."""
        path = self.root / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def open(self) -> Project:
        return Project.open(self.config_file)

    def embedded_texts(self) -> int:
        """How many inputs the embedding model was asked for, by the provider's own request log."""
        if not self.request_log.exists():
            return 0
        requests = [json.loads(line) for line in self.request_log.read_text("utf-8").splitlines()]
        return sum(request["inputs"] for request in requests if request["path"].endswith("/embeddings"))

    def lance_versions(self) -> dict[str, int]:
        """The newest version of every table, by Lance's own numbers."""
        import lancedb

        with self.open() as project:
            database = lancedb.connect(project.settings.store_uri)
            return {name: int(database.open_table(name).version) for name in project.store.table_names()}


@pytest.fixture
def small_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallProject]:
    """An empty project; its configuration is the one that every part finds."""
    for name in QUIET_ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    request_log = tmp_path / "requests.jsonl"
    monkeypatch.setenv("RAG_ASSETS_EMBEDDED_REQUEST_LOG", str(request_log))
    monkeypatch.setenv("RAG_ASSETS_CONFIG", str(tmp_path / "rag_assets.yaml"))
    monkeypatch.chdir(tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        project = SmallProject(tmp_path, instance, request_log)
        project.configure()
        yield project


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says what a run without the slow tests leaves out, beside the skips that `-ra` lists."""
    if config.option.markexpr == "not slow":
        terminalreporter.write_line(
            "LEFT OUT the tests marked slow (whole corpora, the UI as a process): they take minutes; run make test-all"
        )
