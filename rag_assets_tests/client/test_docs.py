"""The page about other systems: its commands, its Python and its curl calls run against a real server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rag_assets.client import Client
from rag_assets_tests.cli.command import FORGOTTEN, configure
from rag_assets_tests.client.server import ON_CALL, serving
from rag_assets_tests.docs.pages import DOCS, blocks

PAGE = DOCS / "how-to" / "trigger-from-another-system.md"
TOOLS = ("bash", "curl", "jq")

pytestmark = [
    pytest.mark.slow,
    *(pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed") for tool in TOOLS),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose one source is what the page calls it. Nothing of it is watched: only calls launch something."""
    folder = tmp_path_factory.mktemp("served")
    configure(folder, "handbook", settings=ON_CALL)
    (folder / "handbook" / "bread.md").write_text("# Bread\n\nRye bread needs a sourdough starter.\n")
    with serving(folder) as url:
        yield url


def test_the_page_does_what_it_says(url: str, tmp_path: Path) -> None:
    script = ["set -euo pipefail"]
    for number, block in enumerate(blocks(PAGE)):
        assert block.reason is None, "every block of this page runs"
        if block.language == "python":
            (tmp_path / f"block_{number}.py").write_text(block.text)
        script.append(block.text if block.language == "bash" else f"python block_{number}.py > block_{number}.txt")
    inherited = {key: value for key, value in os.environ.items() if key not in FORGOTTEN}
    path = f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}"
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=tmp_path, env={**inherited, "PATH": path, "RAG_ASSETS_URL": url}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    command = json.loads((tmp_path / "result.json").read_text())["runs"][0]
    assert (command["status"], command["error"]) == ("SUCCESS", None)
    python = (tmp_path / "block_1.txt").read_text().splitlines()
    assert python == ["SUCCESS None", "1", "[]"]
    found = json.loads((tmp_path / "events-answer.json").read_text())["data"]["logsForRun"]
    assert not found["hasMore"]
    assets = ["/".join(event["assetKey"]["path"]) for event in found["events"] if "assetKey" in event]
    assert assets == ["raw_documents", "chunks", "embeddings", "vector_index"]
    assert [one["partition"] for one in reports(url)] == ["handbook"]
    with Client(url) as client:
        for request in ("nightly-command", "nightly-python", "nightly-curl"):
            run = client.launch("ingest_source", source="handbook", request_id=request)
            assert run.succeeded, "each way has launched the request under its id"


def reports(url: str) -> list[dict[str, Any]]:
    """The reports on `source_updates`, newest first."""
    with Client(url) as client:
        query = """{ assetNodes(assetKeys: [{path: ["source_updates"]}]) {
            assetMaterializations(limit: 10) { partition metadataEntries { label } }
        } }"""
        nodes = client._server.http.graphql(query)["assetNodes"]
    return list(nodes[0]["assetMaterializations"]) if nodes else []
