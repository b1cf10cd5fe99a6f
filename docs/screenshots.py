"""Takes the pictures of the documentation: `python docs/screenshots.py`, into `docs/images/`. Needs Chromium.

Ingests the examples into a temporary folder, evaluates and releases them, and opens `rag-assets dev` on it in a
headless browser, after a model was tuned on the examples and compared. A page whose asset does not exist is left out
and said so.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from rag_assets_tests.browser import Page, browser_page  # noqa: E402
from rag_assets_tests.serving.door import Door, running_door  # noqa: E402

IMAGES = Path(__file__).parent / "images"
WIDTH, HEIGHT = 1600, 1000
MAX_BYTES = 250_000
SETTLE_SECONDS = 4.0
"""For what a page loads after its first words: plots, states of checks, the layout of a graph."""
QUIET_SECONDS, QUIET_WITHIN_SECONDS, POLL_SECONDS = 40.0, 600.0, 2.0
"""Longer than a sensor waits between two looks."""
GROUP = "/locations/rag_assets/asset-groups"


@dataclass(frozen=True)
class Shot:
    """A picture: `name`.png of `path`, once the page shows all of `shows`.

    `needs` names assets without which there is nothing to see.
    """

    name: str
    path: str
    shows: tuple[str, ...]
    needs: tuple[str, ...] = ()
    height: int = HEIGHT


GROUPS = ("sources", "ingestion", "evaluation", "fine_tuning", "release", "operations")
EXPANDED = ",".join(f"global@global:{group}" for group in GROUPS)

SHOTS = (
    Shot("lineage", f"/asset-groups?expanded={EXPANDED}", ("raw_documents", "release"), height=720),
    Shot("ingestion", f"{GROUP}/ingestion/lineage", ("raw_documents", "vector_index"), height=760),
    Shot("vector-index", "/assets/vector_index?view=partitions&partition=handbook", ("Metadata",), ("vector_index",)),
    Shot("vector-index-overview", "/assets/vector_index?view=overview", ("Metadata",), ("vector_index",), height=1800),
    Shot("index-snapshot", "/assets/index_snapshot?view=overview", ("Metadata",), ("index_snapshot",), height=1400),
    Shot("eval-report", "/assets/eval_report?view=overview", ("Metadata",), ("eval_report",), height=1800),
    Shot("release", "/assets/release?view=overview", ("Metadata",), ("release",), height=1400),
    Shot("fine-tuning", f"{GROUP}/fine_tuning/lineage", ("training_file", "model_comparison"), height=760),
    Shot("training-file", "/assets/training_file?view=overview", ("Metadata",), ("training_file",), height=1800),
    Shot(
        "fine-tuned-model", "/assets/fine_tuned_model?view=overview", ("Metadata",), ("fine_tuned_model",), height=1800
    ),
    Shot(
        "model-comparison", "/assets/model_comparison?view=overview", ("Metadata",), ("model_comparison",), height=1800
    ),
    Shot("checks", "/assets/raw_documents?view=checks", ("Latest execution",), ("raw_documents",)),
    Shot("jobs", "/jobs", ("ingest_source",), height=760),
    Shot("automation", "/automation", ("rag_assets",), height=760),
    Shot("runs", "/runs", ("Success",), height=900),
)


def environment(folder: Path) -> dict[str, str]:
    """The repository's own configuration, with everything it writes in `folder`."""
    return {
        "RAG_ASSETS__DATA_DIR": str(folder / "data"),
        "DAGSTER_HOME": str(folder / "dagster"),
        "RAG_ASSETS_CONFIG": str(ROOT / "rag_assets.yaml"),
    }


def ingest(folder: Path) -> None:
    """Ingests and releases the examples, tunes a model on them and compares it."""
    for command in (["ingest", "--all"], ["tune"]):
        started = [sys.executable, "-m", "rag_assets.cli.main", *command]
        subprocess.run(started, cwd=folder, env=os.environ | environment(folder), check=True)  # noqa: S603


def assets(door: Door) -> set[str]:
    """The assets of the code location."""
    nodes = door.graphql("{ assetNodes { assetKey { path } } }").json["data"]["assetNodes"]
    return {"/".join(node["assetKey"]["path"]) for node in nodes}


def settle(door: Door) -> None:
    """Until the runs that start by themselves have ended: the sensors see the examples for the first time."""
    query = "{ runsOrError(filter: {statuses: [QUEUED, NOT_STARTED, STARTING, STARTED]}) { ... on Runs { count } } }"
    deadline, quiet = time.monotonic() + QUIET_WITHIN_SECONDS, 0.0
    while quiet < QUIET_SECONDS and time.monotonic() < deadline:
        running = door.graphql(query).json["data"]["runsOrError"]["count"]
        quiet = 0.0 if running else quiet + POLL_SECONDS
        time.sleep(POLL_SECONDS)


def take(door: Door, shot: Shot) -> None:
    """Opens the page, and writes its picture."""
    with browser_page(width=WIDTH, height=shot.height) as page:
        page.open(door.url + shot.path)
        page.wait_for(*shot.shows)
        page.settle(SETTLE_SECONDS)
        write(page, IMAGES / f"{shot.name}.png")
        for refusal in page.refused:
            typer.echo(f"  refused: {refusal}")


def write(page: Page, file: Path) -> None:
    """The picture with a palette of 256 colours, or fewer until it is small enough."""
    from PIL import Image

    with tempfile.NamedTemporaryFile(suffix=".png") as raw:
        page.picture(Path(raw.name))
        whole = Image.open(raw.name).convert("RGB")
    for colors in (256, 128, 64, 32):
        packed = io.BytesIO()
        whole.quantize(colors, dither=Image.Dither.NONE).save(packed, "png", optimize=True)
        if packed.tell() <= MAX_BYTES:
            break
    file.write_bytes(packed.getvalue())
    typer.echo(f"  {file.relative_to(ROOT)} {packed.tell() // 1000} KB, {colors} colours")


def reports(folder: Path) -> Iterator[Shot]:
    """The newest report, and the page of all of them."""
    root = folder / "data/reports"
    written = sorted((file for file in root.glob("*/*.html")), key=lambda file: file.stat().st_mtime)
    compared = [file for file in written if file.parent.name.startswith("comparison-")]
    for name, files in (("report", [file for file in written if file not in compared]), ("comparison", compared)):
        if files:
            yield Shot(name, f"/reports/{files[-1].relative_to(root).as_posix()}", (), height=2000)
    if (root / "index.html").is_file():
        yield Shot("reports", "/reports/index.html", (), height=600)


def main() -> None:
    """Takes all pictures, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these pictures")
    parser.add_argument("--keep", type=Path, help="a folder to ingest into, used again when it is there")
    given = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="examples-") as temporary:
        folder = given.keep or Path(temporary)
        fresh = not (folder / "data").exists()
        folder.mkdir(parents=True, exist_ok=True)
        if fresh:
            ingest(folder)
        with running_door(folder, **environment(folder)) as door:
            present = assets(door)
            settle(door)
            for shot in (*SHOTS, *reports(folder)):
                if given.names and shot.name not in given.names:
                    continue
                if missing := set(shot.needs) - present:
                    typer.echo(f"{shot.name}: left out, for there is no {', '.join(sorted(missing))}")
                    continue
                take(door, shot)


if __name__ == "__main__":
    main()
