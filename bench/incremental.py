"""What a second run costs: nothing changed, and one paragraph of one file changed, over 10,000 Markdown documents.

    python -m bench.incremental [--documents 10000] [--rounds 5] [--only cocoindex] [--work FOLDER] [--json]

Three sides look at the same folder (`bench.documents`, generated from a fixed seed), each with a LanceDB table of its
own, in turns, the order rotated every round:

    rag_assets    `rag-assets ingest --json`: Dagster's runs, ledger, checks, gates and release included. It embeds over
                  HTTP with `bench.free_model` on loopback.
    CocoIndex     `bench/comparators/cocoindex_folder.py`; the same vectors, made inside its process.
    LlamaIndex    `bench/comparators/llamaindex_folder.py`; the same.

Counted for each: the wall time of the whole process; the time inside it, imports excluded; its processor time and
memory; the files opened below the folder, as the kernel tells; texts embedded; versions of tables committed, counted
as manifest files of Lance. For rag_assets the inside is measured in a copy of the project by a process that has
imported everything (`bench.ours_inside`), and `stages` is what Dagster recorded for the four stages of ingestion in it:
the part that compares with what the others do, for they have no gates, evaluation or releases.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from bench import environment
from bench.documents import SEED, edit_one_paragraph, write_documents
from bench.free_model import FreeModel, free_model
from bench.history import Recorded, runs_since
from bench.opened_files import watch_opened
from bench.ours import FORGOTTEN, OurProject
from bench.processes import Finished, run
from bench.report import Report, arguments, finish, say

COLD, SAME, EDIT = "cold ingest", "no change", "one paragraph changed"
INSIDE = "inside the process, imports excluded"
STAGES = "the four stages inside"
UNITS = {
    "files opened": "files",
    "texts embedded": "texts",
    "table versions committed": "versions",
    "data versions changed": "assets",
    "peak memory": "MB",
}
OURS = "rag_assets"
COMPARATORS = {
    "CocoIndex": ("cocoindex_folder.py", ("cocoindex", "lancedb")),
    "LlamaIndex": ("llamaindex_folder.py", ("llama-index-core", "llama-index-vector-stores-lancedb", "pandas")),
}
Counts = dict[str, float]


@dataclass(frozen=True)
class Side:
    """One of those compared: `measure` runs it once over the folder and returns figures by name."""

    name: str
    tables: Path
    measure: Callable[[], Counts]


def our_side(work: Path, documents: Path, model: FreeModel) -> Side:
    """The command, and after the first time the same in a copy of the project, from inside; see the module."""
    project = OurProject.make(work / "ours", {"docs": documents}, settings=model.settings)
    copy, data_versions = work / "inside", dict[str, str]()

    def measure() -> Counts:
        first = not project.data.exists()
        before = model.counts()["texts"]
        done, summary = project.ingest()
        embedded = model.counts()["texts"] - before
        assert embedded == summary["sources"]["docs"]["texts_embedded"], "the server saw what the ledger counted"
        found = process_figures(done) | {"texts embedded": embedded}
        if first:
            shutil.copytree(project.folder, copy)
            data_versions.update(versions_of(runs_since(copy, 0)))
            return found
        return found | from_inside(copy, data_versions)

    return Side(OURS, project.data, measure)


def from_inside(project: Path, data_versions: dict[str, str]) -> Counts:
    """Runs the copy and compares the data versions it makes with `data_versions`, which then become those."""
    since = time.time()
    done = run(
        [sys.executable, "-m", "bench.ours_inside"],
        cwd=project,
        environment=FORGOTTEN | {"PYTHONPATH": str(environment.ROOT)},
    )
    inside = float(json.loads(done.out.strip().splitlines()[-1])["inside_seconds"])
    runs = runs_since(project, since)
    changed = sum(data_versions.get(asset) != version for asset, version in versions_of(runs).items())
    data_versions.update(versions_of(runs))
    return {INSIDE: inside, STAGES: sum(run.stages_seconds for run in runs), "data versions changed": changed}


def versions_of(runs: list[Recorded]) -> dict[str, str]:
    """Asset → the data version that its last materialization got."""
    return {asset: version for run in reversed(runs) for asset, version in run.data_versions.items()}


def their_side(name: str, work: Path, documents: Path) -> Side:
    script, _ = COMPARATORS[name]
    state = work / name.lower()

    def measure() -> Counts:
        done, said = environment.run_comparator(script, [str(documents), str(state)], cwd=work)
        return process_figures(done) | {
            INSIDE: said["core_seconds"],
            "texts embedded": said["texts_embedded"],
        }

    return Side(name, state, measure)


def process_figures(done: Finished) -> Counts:
    return {
        "whole process": done.seconds,
        "processor time of the process": done.cpu_seconds,
        "peak memory": done.peak_mb,
    }


def table_versions(folder: Path) -> int:
    """Versions of Lance tables below `folder`: manifests, of which every commit writes one."""
    return sum(1 for _ in folder.rglob("_versions/*.manifest"))


def measured(side: Side, documents: Path) -> Counts:
    """Runs a side once, with the kernel counting what it opens."""
    before = table_versions(side.tables)
    with watch_opened(documents) as opened:
        found = side.measure()
    # A side that cleans up old versions can end with fewer manifests than it had.
    committed = max(table_versions(side.tables) - before, 0)
    if not opened.complete:
        say(f"{side.name}: the kernel's queue of opened files ran over; they are not counted")
        return found | {"table versions committed": committed}
    return found | {"files opened": len(opened.paths), "table versions committed": committed}


def sides_of(report: Report, work: Path, documents: Path, model: FreeModel, only: list[str] | None) -> list[Side]:
    """Ours, and those comparators that are installed."""
    sides = [our_side(work, documents, model)]
    for name, (_, needed) in COMPARATORS.items():
        if only and name.lower() not in only:
            continue
        if reason := environment.why_absent(*needed):
            report.skipped.append(f"{name}: {reason}")
            continue
        report.versions.update(environment.versions(*needed))
        sides.append(their_side(name, work, documents))
    return sides


def compare(report: Report, work: Path, *, count: int, rounds: int, only: list[str] | None) -> None:
    """Fills `report`."""
    documents = work / "documents"
    files = write_documents(documents, count)
    found: dict[tuple[str, str], list[Counts]] = defaultdict(list)
    with free_model() as model:
        sides = sides_of(report, work, documents, model, only)
        for side in sides:
            say(f"{COLD}: {side.name}")
            found[COLD, side.name].append(measured(side, documents))
        for number in range(rounds):
            at = number % len(sides)
            for scenario in (SAME, EDIT):
                if scenario == EDIT:
                    edit_one_paragraph(files[(number * 7919 + 13) % count], number)
                for side in (*sides[at:], *sides[:at]):
                    say(f"round {number + 1} of {rounds}, {scenario}: {side.name}")
                    found[scenario, side.name].append(measured(side, documents))
    for (scenario, name), counts in found.items():
        for key in dict.fromkeys(key for one in counts for key in one):
            report.add(f"{scenario}: {key}", name, UNITS.get(key, "s"), [one[key] for one in counts if key in one])


def judge(report: Report) -> None:
    """The claims beside the figures."""

    def ours(scenario: str, key: str) -> float | None:
        return report.median(f"{scenario}: {key}", OURS)

    def claim(text: str, required: str, value: float | None, unit: str, limit: float) -> None:
        report.claim(
            f"{report.settings['documents']:,} documents, {text}",
            required,
            value,
            unit,
            met=value is not None and value <= limit,
        )

    claim("unchanged run: files opened", "0", ours(SAME, "files opened"), "files", 0)
    claim("unchanged run: texts embedded", "0", ours(SAME, "texts embedded"), "texts", 0)
    claim("unchanged run: table versions committed", "0", ours(SAME, "table versions committed"), "versions", 0)
    claim("unchanged run: data versions changed", "0", ours(SAME, "data versions changed"), "assets", 0)
    claim("unchanged run: whole command", "under 4 s", ours(SAME, "whole process"), "s", 4)
    claim("one changed paragraph: texts embedded", "only its new chunks", ours(EDIT, "texts embedded"), "texts", 3)
    claim("one changed paragraph: files opened", "1", ours(EDIT, "files opened"), "files", 1)
    claim("one changed paragraph: core", "under 1 s", ours(EDIT, STAGES), "s", 1)


def main() -> None:
    """Measures and prints."""
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--only", action="append", help="a comparator: cocoindex or llamaindex; may be repeated")
    parser.add_argument("--work", type=Path, help="an empty folder to work in; a temporary one by default")
    wanted = parser.parse_args()
    report = Report(
        "incremental",
        settings={"documents": wanted.documents, "seed": SEED, "rounds": wanted.rounds, "model": "bench.free_model"},
    )
    with tempfile.TemporaryDirectory() if wanted.work is None else nullcontext(wanted.work) as folder:
        compare(report, Path(folder), count=wanted.documents, rounds=wanted.rounds, only=wanted.only)
    judge(report)
    finish(report, wanted)


if __name__ == "__main__":
    main()
