"""Index build and search beside Chroma, Qdrant local and FAISS: time, recall, bytes on disk and memory.

    python -m bench.index [--rows 10000 100000] [--engines ours chroma qdrant faiss-flat faiss-ivf faiss-hnsw]
                          [--rounds 3] [--queries 100] [--json]
    python -m bench.index --rows 1000000 --engines ours faiss-flat faiss-ivf --rounds 3

Every side of every round is a process of its own, in another order each round, over the same rows (`bench.index_data`:
384 dimensions, texts of up to 600 characters, 100 sources). Generating rows is not counted.

write         until all rows are stored; where an engine builds its index as rows come in, that too
index         until searches use all indices; `vector index` is what the one of vectors took of that
update        a hundredth of the rows changed or added, then (`update index`) brought into the indices
p50, p95      of a search for 10 rows with their texts, one after the other; `filtered` by one source of a hundred rows
recall@10     of the vector search, of 10 rows, against exact search over the same rows
on disk       all files after the build; memory: the most the process held

What each engine is set to, and why, stands in `bench/comparators/index_engines.py`. The first run embeds the chunks
that rows are mixed from (some minutes), and later ones read them back.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from bench import environment
from bench.index_data import SEED, exact_neighbours, load_corpus, queries, source_of
from bench.index_measuring import ASKED
from bench.processes import CommandFailedError, run
from bench.report import Report, arguments, finish, say

DISTRIBUTIONS = {"chroma": "chromadb", "qdrant": "qdrant-client"}
ENGINES = ("ours", "chroma", "qdrant", "faiss-flat", "faiss-ivf", "faiss-hnsw")
ROWS = (10_000, 100_000)
OURS = "rag_assets"
LARGE = 1_000_000


def measure(engine: str, rows: int, count: int) -> tuple[dict[str, Any], float]:
    """What one process of that engine printed, and the most memory it held in MB."""
    with tempfile.TemporaryDirectory() as scratch:
        given = [str(rows), str(count), str(Path(scratch) / "data")]
        if engine == "ours":
            environment_of = {"MALLOC_ARENA_MAX": "2"}
            command = [sys.executable, "-m", "bench.index_ours", *given]
            done = run(command, cwd=environment.ROOT, environment=environment_of)
            return json.loads(done.out.strip().splitlines()[-1]), done.peak_mb
        done, found = environment.run_comparator("index_engines.py", [engine, *given], cwd=environment.ROOT)
        return found, done.peak_mb


def recall(found: list[list[int]], truth: np.ndarray) -> float:
    """The mean share of the true neighbours that were found."""
    return statistics.mean(
        len(set(rows) & set(true.tolist())) / len(true) for rows, true in zip(found, truth, strict=True)
    )


def main() -> None:
    """Measures what is asked for."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS), help="sizes of the table")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--queries", type=int, default=100, help="searches of each kind in each round")
    wanted = parser.parse_args()
    corpus = load_corpus()
    report = Report(
        "index",
        settings={
            "rows": wanted.rows,
            "rounds": wanted.rounds,
            "queries": wanted.queries,
            "data": corpus.kind,
            "seed": SEED,
        },
        versions=environment.versions("chromadb", "qdrant-client", "faiss-cpu"),
    )
    engines = [one for one in wanted.engines if _is_there(one, report)]
    vectors = np.stack([vector for _, vector in queries(corpus, wanted.queries)])
    for rows in wanted.rows:
        truth = {
            "vector": exact_neighbours(corpus, rows, vectors, ASKED),
            "filtered": exact_neighbours(corpus, rows, vectors, ASKED, source=source_of(0)),
        }
        _measure_size(report, engines, rows, wanted, truth)
    _claims(report)
    finish(report, wanted)


def _is_there(engine: str, report: Report) -> bool:
    absent = None if engine == "ours" else environment.why_absent(DISTRIBUTIONS.get(engine, "faiss-cpu"))
    if absent:
        report.skipped.append(f"{engine}: {absent}")
    return absent is None


def _measure_size(
    report: Report, engines: list[str], rows: int, wanted: argparse.Namespace, truth: dict[str, np.ndarray]
) -> None:
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(wanted.rounds):
        turn = number % max(len(engines), 1)
        for engine in [*engines[turn:], *engines[:turn]]:
            say(f"{engine}, {rows:,} rows, round {number + 1} of {wanted.rounds}")
            try:
                found, peak_mb = measure(engine, rows, wanted.queries)
            except CommandFailedError as error:
                report.skipped.append(f"{engine} at {rows:,} rows: {str(error).splitlines()[-1]}")
                continue
            for what, value in _figures(found, peak_mb, truth):
                taken[engine, what].append(value)
    for (engine, what), values in taken.items():
        side = OURS if engine == "ours" else engine
        report.add(what, side, _unit(what), values, size=rows)


def _figures(found: dict[str, Any], peak_mb: float, truth: dict[str, np.ndarray]) -> list[tuple[str, float]]:
    seconds = found["seconds"]
    figures = [("write and index", seconds["write"] + seconds.get("index", 0.0))]
    figures += [(name.replace("_", " "), value) for name, value in seconds.items()]
    for kind, took in found["milliseconds"].items():
        figures += [(f"{kind} p50", float(np.percentile(took, 50))), (f"{kind} p95", float(np.percentile(took, 95)))]
        if kind in truth:
            figures.append((f"{kind} recall@10", recall(found["found"][kind], truth[kind])))
    return [*figures, ("on disk", found["disk_bytes"] / 1e6), ("memory", peak_mb)]


def _unit(what: str) -> str:
    if what in ("on disk", "memory"):
        return "MB"
    if what.endswith(("p50", "p95")):
        return "ms"
    return "of 1" if "recall" in what else "s"


def _claims(report: Report) -> None:
    hundred = 100_000
    for what, least in (("write and index", 50), ("filtered p50", 10)):
        ours, theirs = report.median(what, OURS, size=hundred), report.median(what, "chroma", size=hundred)
        times = theirs / ours if ours and theirs else None
        report.claim(
            f"{what}, 100,000 rows, Chroma's time",
            f">= {least} times ours",
            times,
            "times",
            met=times and times >= least,
        )
    for what, limit, unit in (
        ("vector index", 20.0, "s"),
        ("update", 0.3, "s"),
        ("hybrid p95", 20.0, "ms"),
        ("memory", 1_610.0, "MB"),
    ):
        ours = report.median(what, OURS, size=LARGE)
        required = f"< {limit:g} {unit}"
        report.claim(f"{what}, 1,000,000 rows", required, ours, unit, met=None if ours is None else ours < limit)
    found = report.median("vector recall@10", OURS, size=LARGE)
    report.claim(
        "recall@10 of the vector side, 1,000,000 rows", ">= 0.97", found, met=None if found is None else found >= 0.97
    )


if __name__ == "__main__":
    main()
