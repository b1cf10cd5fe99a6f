"""All benches beside their comparators, one after the other, then one table and plots.

    python -m bench [--only incremental] [--quick] [--out bench/results]

Each bench runs as a process of its own and writes `<bench>.json`; what it says goes to standard error. `summary.md` has
all their tables, `*.svg` the plots. A bench that fails does not stop the others; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

from bench.plots import plot_report
from bench.report import RESULTS, say, table

QUICK = {
    "embedding": ("--rounds", "1", "--chunks", "16"),
    "ingest": ("--rounds", "1"),
    "incremental": ("--rounds", "1", "--documents", "1000"),
    "index": ("--rounds", "1", "--rows", "2000", "--queries", "10"),
    "growth": ("--rounds", "1", "--sizes", "100", "1000"),
}
"""The benches in order, and what makes each short."""


def run_bench(name: str, out: Path, options: tuple[str, ...]) -> bool:
    """Whether the bench went well; its table is printed from the file it wrote."""
    say(f"bench.{name}")
    command = [sys.executable, "-m", f"bench.{name}", "--out", str(out), *options]
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
    if ended:
        say(f"bench.{name} ended with {ended}; repeat it with: {' '.join(command[1:])}")
    return ended == 0


def main() -> int:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=tuple(QUICK), help="a bench; may be repeated")
    parser.add_argument("--quick", action="store_true", help="one round and small sizes: whether it runs, not how fast")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where files are written (default bench/results)")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    names = [name for name in QUICK if not wanted.only or name in wanted.only]
    missing = [name for name in names if importlib.util.find_spec(f"bench.{name}") is None]
    failed = [
        name
        for name in names
        if name not in missing and not run_bench(name, wanted.out, QUICK[name] if wanted.quick else ())
    ]
    tables = []
    for name in names:
        file = wanted.out / f"{name}.json"
        if name not in failed and file.is_file():
            tables.append(table(json.loads(file.read_text())))
            plot_report(file)
    (wanted.out / "summary.md").write_text("\n\n".join(f"```\n{one}\n```" for one in tables) + "\n")
    print("\n\n".join(tables))
    for name in missing:
        say(f"bench.{name} does not exist")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
