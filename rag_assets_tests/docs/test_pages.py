"""Every command and every piece of Python in the documentation runs, in the order in which a reader meets it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rag_assets_tests.cli.command import FORGOTTEN
from rag_assets_tests.docs.pages import DOCS, Block, blocks

ROOT = DOCS.parent
ON_THEIR_OWN = {
    "docs/how-to/trigger-from-another-system.md": "client/test_docs.py runs it against a server",
    "docs/how-to/run-behind-a-proxy.md": "serving/test_nginx.py runs its configuration",
}
"""Pages that need more than a folder, and the test that runs them."""
IN_AN_EMPTY_FOLDER = ["docs/tutorial.md"]
IN_THE_EXAMPLES = [
    "docs/how-to/add-a-source.md",
    "docs/how-to/change-the-model.md",
    "docs/how-to/control-spending.md",
    "docs/how-to/mend-failed-documents.md",
    "docs/how-to/read-the-report.md",
    "docs/how-to/roll-back.md",
    "docs/how-to/see-what-a-run-would-cost.md",
    "docs/how-to/tune-a-model.md",
    "docs/how-to/use-from-a-notebook.md",
]


def environment(home: Path) -> dict[str, str]:
    scripts = str(Path(sys.executable).parent)
    kept = {key: value for key, value in os.environ.items() if key not in FORGOTTEN}
    return kept | {"HOME": str(home), "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "TERM": "dumb"}


def run(page: list[Block], folder: Path) -> None:
    """Runs the blocks in one shell, so that a `cd` and a variable hold for what follows."""
    script = ["set -euo pipefail"]
    for number, block in enumerate(page):
        if block.reason:
            continue
        script.append(f"echo '--- {block.page}:{block.line}' >&2")
        if block.language == "bash":
            script.append(block.text)
        else:
            file = folder / f"block_{number}.py"
            file.write_text(block.text, "utf-8")
            script.append(f"python {file}")
    result = subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=folder, env=environment(folder), capture_output=True, text=True
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    assert "Traceback" not in result.stderr, result.stderr


@pytest.fixture(scope="module")
def ingested_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples, ingested once: pages start from copies of it."""
    folder = tmp_path_factory.mktemp("examples") / "project"
    folder.mkdir()
    shutil.copy(ROOT / "rag_assets.yaml", folder)
    shutil.copytree(ROOT / "examples", folder / "examples")
    done = subprocess.run(
        [sys.executable, "-m", "rag_assets.cli.main", "ingest"],
        cwd=folder, env=environment(folder), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("page", IN_AN_EMPTY_FOLDER)
def test_a_page_that_starts_from_nothing(page: str, tmp_path: Path) -> None:
    run(blocks(ROOT / page), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)  # a model is tuned and compared, two releases are evaluated
@pytest.mark.parametrize("page", IN_THE_EXAMPLES)
def test_a_page_about_the_examples(page: str, tmp_path: Path, ingested_examples: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(ingested_examples, folder, symlinks=True)
    run(blocks(ROOT / page), folder)


def test_every_page_with_commands_is_run_by_some_test() -> None:
    with_commands = {
        str(page.relative_to(ROOT))
        for page in DOCS.rglob("*.md")
        if page.parent.name != "reference" and any(block.reason is None for block in blocks(page))
    }
    assert with_commands == {*IN_AN_EMPTY_FOLDER, *IN_THE_EXAMPLES, *ON_THEIR_OWN} & with_commands
    for page in (*IN_AN_EMPTY_FOLDER, *IN_THE_EXAMPLES, *ON_THEIR_OWN):
        assert (ROOT / page).exists(), page


def test_every_link_leads_somewhere() -> None:
    import re

    broken = []
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []
