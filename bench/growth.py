"""How time and memory grow with the work: ten and a hundred times the documents.

    python -m bench.growth [--sizes 1000 10000] [--largest] [--rounds 3] [--json]

For each size a new project over that many generated documents of one or two chunks (`bench.documents`, fixed seed),
through `rag-assets ingest` with `bench.free_model`: the cold ingest once, then in every round a run in which nothing
changed, one after one paragraph of one file changed, and 50 searches (`bench.query_times`). Time is the wall time of
the whole process; memory is the most that its processes held (proportional set size, looked at every 50 ms).
`--largest` adds 100,000 documents. `factor` is how many times the smallest size's figure the largest's is.

The index is the whole table of the project: `index build` is the step `vector_index` of the cold ingest, which writes
the rows and builds what indices the table's size calls for.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench.documents import SEED, edit_one_paragraph, write_documents
from bench.environment import ROOT
from bench.free_model import FreeModel, free_model
from bench.history import STAGES, runs_since
from bench.ours import FORGOTTEN, OurProject
from bench.processes import run
from bench.report import Report, arguments, finish, say

OURS = "rag_assets"
LARGEST = 100_000
PARAGRAPHS = 2
COLD, SAME, EDIT, BUILD, QUERY = "cold ingest", "no change", "one paragraph changed", "index build", "query p50"
MEMORY = "cold ingest: peak memory"
MEMORY_LIMIT = 1.2


def measure_cold(report: Report, project: OurProject, count: int) -> None:
    since = time.time()
    say(f"{count:,} documents: {COLD}")
    done, summary = project.ingest()
    report.add(COLD, OURS, "s", [done.seconds], size=count)
    report.add(f"{COLD}: processor time", OURS, "s", [done.cpu_seconds], size=count)
    report.add(MEMORY, OURS, "MB", [done.peak_mb], size=count)
    source = next(run for run in runs_since(project.folder, since) if run.partition == "docs")
    for stage in STAGES:
        what = BUILD if stage == "vector_index" else f"{COLD}: step {stage}"
        report.add(what, OURS, "s", [source.seconds[stage]], size=count)
    report.add("chunks", OURS, "chunks", [summary["sources"]["docs"]["chunks"]["added"]], size=count)


def measure_runs(report: Report, project: OurProject, files: list[Path], rounds: int) -> None:
    count = len(files)
    same, edit, queries = [], [], []
    for number in range(rounds):
        say(f"{count:,} documents, round {number + 1} of {rounds}")
        done, summary = project.ingest()
        assert not summary["sources"]["docs"]["table_versions_committed"], "nothing changed, and a table was written"
        same.append(done)
        edit_one_paragraph(files[(number * 7919 + 13) % count], number)
        edit.append(project.ingest()[0])
        environment = FORGOTTEN | {"PYTHONPATH": str(ROOT)}
        said = run([sys.executable, "-m", "bench.query_times"], cwd=project.folder, environment=environment).out
        milliseconds = sorted(json.loads(said)["milliseconds"])
        queries.append(milliseconds[len(milliseconds) // 2])
    for what, ended in ((SAME, same), (EDIT, edit)):
        report.add(what, OURS, "s", [one.seconds for one in ended], size=count)
        report.add(f"{what}: processor time", OURS, "s", [one.cpu_seconds for one in ended], size=count)
        report.add(f"{what}: peak memory", OURS, "MB", [one.peak_mb for one in ended], size=count)
    report.add(QUERY, OURS, "ms", queries, size=count)


def measure_size(report: Report, work: Path, count: int, rounds: int, model: FreeModel) -> None:
    files = write_documents(work / "documents", count, paragraphs=PARAGRAPHS)
    project = OurProject.make(work / "ours", {"docs": work / "documents"}, settings=model.settings)
    measure_cold(report, project, count)
    measure_runs(report, project, files, rounds)
    shutil.rmtree(work)


def judge(report: Report, sizes: list[int]) -> None:
    """The factors between the smallest and the largest size, and the claim about memory."""
    smallest, largest = sizes[0], sizes[-1]
    for what in (COLD, BUILD, SAME, EDIT, QUERY, MEMORY):
        small, large = (report.median(what, OURS, size=size) for size in (smallest, largest))
        if small and large and smallest != largest:
            report.add(f"factor of {what}, {largest // smallest}x the documents", OURS, "times", [large / small])
    small, large = report.median(MEMORY, OURS, size=1_000), report.median(MEMORY, OURS, size=LARGEST)
    ratio = large / small if small and large else None
    report.claim(
        "peak memory of a cold ingest, 100,000 documents against 1,000",
        "at most 1.2 times (flat within 20 %)",
        ratio,
        "times",
        met=ratio is not None and ratio <= MEMORY_LIMIT,
    )


def main() -> None:
    """Measures and prints."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000], help="numbers of documents")
    parser.add_argument("--largest", action="store_true", help=f"{LARGEST:,} documents too; takes long")
    wanted = parser.parse_args()
    sizes = sorted({*wanted.sizes, *([LARGEST] if wanted.largest else [])})
    report = Report(
        "growth",
        settings={"documents": " ".join(map(str, sizes)), "seed": SEED, "rounds": wanted.rounds, "model": "free_model"},
    )
    with tempfile.TemporaryDirectory() as folder, free_model() as model:
        for count in sizes:
            measure_size(report, Path(folder) / str(count), count, wanted.rounds, model)
    judge(report, sizes)
    finish(report, wanted)


if __name__ == "__main__":
    main()
