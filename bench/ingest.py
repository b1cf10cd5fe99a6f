"""Cold ingest of real documents, end to end, with the time by step; and each parser beside its library.

    python -m bench.ingest [--rounds 3] [--only md] [--json]

Every round makes a new project and runs `rag-assets ingest --source FORMAT --no-release` for each format: a Dagster run
with ledger, checks and gates. Steps are what Dagster recorded. The model is `bench.free_model`, over HTTP on loopback,
on the same cores: `chunks/s of the four stages` has its time in it, `chunks/s of everything but the model` has the
seconds taken off in which the server was answering, by its own clock.

Documents (`bench.formats`): Markdown of Argo CD and FastAPI, the PEPs in reStructuredText, accident reports as PDF, and
100 pages of HTML and 100 Word files made of the Markdown.

For all but Markdown: processor time per document of our parser alone and of the library alone
(`bench/comparators/parsers.py`), in processes of their own, in turns, on the same 100 files; and the time per document
of the four stages without the model. The stages may use several processes, the library is alone on one core.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench.environment import ROOT, SCRIPTS
from bench.formats import sample, write_formats
from bench.free_model import FreeModel, free_model
from bench.history import STAGES, runs_since
from bench.ours import OurProject
from bench.processes import run
from bench.report import Report, arguments, finish, say

OURS = "rag_assets"
LIBRARIES = {"rst": "docutils", "pdf": "pypdfium2", "html": "trafilatura", "docx": "python-docx"}
CHUNKS_PER_SECOND = "chunks/s of everything but the model"
PER_DOCUMENT = "four stages without the model, per document"
PARSE = "parsing alone, per document"
LIMIT_CHUNKS_PER_SECOND = 4_000
LIMIT_RATIO = 1.2


def ingest_cold(project: OurProject, format_name: str, model: FreeModel) -> dict[str, tuple[float, str]]:
    """One cold run of one source: figures and their units by name."""
    since, before = time.time(), model.counts()
    done, _ = project.ingest("--source", format_name, "--no-release")
    after = model.counts()
    (recorded,) = runs_since(project.folder, since)
    chunks = recorded.metadata["chunks"]["chunks_added"]
    documents = recorded.metadata["raw_documents"]["documents_added"]
    model_seconds = after["busy_seconds"] - before["busy_seconds"]
    without_model = max(recorded.stages_seconds - model_seconds, 1e-9)
    checks = sum(seconds for step, seconds in recorded.seconds.items() if step not in STAGES)
    return {
        "documents": (documents, "documents"),
        "chunks": (chunks, "chunks"),
        "whole process": (done.seconds, "s"),
        "processor time of the process": (done.cpu_seconds, "s"),
        "peak memory": (done.peak_mb, "MB"),
        **{f"step {stage}": (recorded.seconds[stage], "s") for stage in STAGES},
        "steps of checks": (checks, "s"),
        "the model, by its own clock": (model_seconds, "s"),
        "chunks/s of the four stages": (chunks / recorded.stages_seconds, "chunks/s"),
        CHUNKS_PER_SECOND: (chunks / without_model, "chunks/s"),
        PER_DOCUMENT: (1000 * without_model / documents, "ms"),
    }


def ingest_formats(report: Report, work: Path, folders: dict[str, Path], rounds: int) -> None:
    found: dict[tuple[str, str], list[tuple[float, str]]] = {}
    names = list(folders)
    with free_model() as model:
        for number in range(rounds):
            at = number % len(names)
            for name in names[at:] + names[:at]:
                say(f"round {number + 1} of {rounds}: cold ingest of {name}")
                project = OurProject.make(work / f"{name}-{number}", {name: folders[name]}, settings=model.settings)
                for what, value in ingest_cold(project, name, model).items():
                    found.setdefault((name, what), []).append(value)
                shutil.rmtree(project.folder)
    for (name, what), values in found.items():
        report.add(f"{name}: {what}", OURS, values[0][1], [value for value, _ in values])


def compare_parsers(report: Report, work: Path, folders: dict[str, Path], rounds: int) -> None:
    for name, library in LIBRARIES.items():
        if name not in folders:
            continue
        folder = work / "samples" / name
        folder.mkdir(parents=True)
        for number, file in enumerate(sample(folders[name], name)):
            shutil.copyfile(file, folder / f"{number:03}.{name}")
        commands = {
            OURS: [sys.executable, "-m", "bench.parse_alone"],
            library: [sys.executable, str(SCRIPTS / "parsers.py")],
        }
        found: dict[str, list[float]] = {OURS: [], library: []}
        for number in range(rounds):
            for side in list(commands)[:: 1 if number % 2 else -1]:
                say(f"round {number + 1} of {rounds}: parsing {name} with {side}")
                said = json.loads(run([*commands[side], name, str(folder), "1"], cwd=ROOT).out)
                found[side].append(1000 * said["seconds"][0] / said["files"])
        for side, values in found.items():
            report.add(f"{name}: {PARSE}", side, "ms", values)


def judge(report: Report, formats: list[str]) -> None:
    """The claims beside the figures."""
    if "md" in formats:
        rate = report.median(f"md: {CHUNKS_PER_SECOND}", OURS)
        report.claim(
            "Markdown: everything but the model",
            f"at least {LIMIT_CHUNKS_PER_SECOND:,} chunks/s",
            rate,
            "chunks/s",
            met=rate is not None and rate >= LIMIT_CHUNKS_PER_SECOND,
        )
    for name, library in LIBRARIES.items():
        alone = report.median(f"{name}: {PARSE}", library)
        if not alone:
            continue
        claims = {f"{name}: parsing": PARSE}
        if name == "rst":  # with 20 or 100 documents, what a process does once outweighs the rest
            claims[f"{name}: everything but the model"] = PER_DOCUMENT
        for text, what in claims.items():
            ours = report.median(f"{name}: {what}", OURS)
            ratio = ours / alone if ours else None
            required, met = f"at most {LIMIT_RATIO}", ratio is not None and ratio <= LIMIT_RATIO
            report.claim(f"{text}, times {library}'s own", required, ratio, met=met)


def main() -> None:
    """Measures and prints."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--only", action="append", choices=("md", *LIBRARIES), help="a format; may be repeated")
    wanted = parser.parse_args()
    report = Report("ingest", settings={"rounds": wanted.rounds, "model": "bench.free_model"})
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        folders = write_formats(work / "documents")
        if wanted.only:
            folders = {name: folder for name, folder in folders.items() if name in wanted.only}
        ingest_formats(report, work, folders, wanted.rounds)
        compare_parsers(report, work, folders, wanted.rounds)
    judge(report, list(folders))
    finish(report, wanted)


if __name__ == "__main__":
    main()
