"""Ticks of the watch over many files: how long each takes, what memory it leaves behind, how large its cursor is.

    python -m bench.watch [--ticks 500] [--files 10000] [--sources 10] [--json]

The ticks are those of the sensor `watch_files`, called in this process with a real ledger, a real Dagster instance and
real files; in every tenth tick one file is changed before. Their runs are not executed, and a tick that finds a change
includes the second (`QUIET_SECONDS`) it waits for the file to rest. Memory is the resident set after the
first 50 ticks, when caches are full, and after the last.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import dagster as dg

from rag_assets.assets import sync_partitions
from rag_assets.automation.sensors import files
from rag_assets.project import Project

WARM_UP_TICKS = 50
CHANGE_EVERY = 10


def measure(root: Path, *, ticks: int, file_count: int, source_count: int) -> dict[str, float]:
    """Seconds per tick, megabytes and bytes; see the module's docstring."""
    names = [f"source-{number:02}" for number in range(source_count)]
    config = root / "rag_assets.yaml"
    config.write_text("sources:\n" + "".join(f"  {name}:\n    path: {name}\n" for name in names))
    for number in range(file_count):
        file = root / names[number % source_count] / f"{number // 100 % 10}" / f"{number:06}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {number}\n")
    cursor: str | None = None
    seconds: list[float] = []
    waiting: list[float] = []
    cursor_bytes = launches = 0
    resident = 0.0
    with dg.DagsterInstance.local_temp(str(root)) as instance:
        for tick in range(ticks):
            changed = tick % CHANGE_EVERY == CHANGE_EVERY - 1
            if changed:
                (root / names[tick % source_count] / "changed.md").write_text(f"# {tick}\n")
            start = time.perf_counter()
            with Project.open(config) as project:
                if tick == 0:
                    sync_partitions(instance, project)
                result = files.tick(project, instance, cursor)
            (waiting if changed or not tick else seconds).append(time.perf_counter() - start)
            cursor = result.cursor
            cursor_bytes = max(cursor_bytes, len((cursor or "").encode()))
            launches += len(result.run_requests or [])
            if tick == min(WARM_UP_TICKS, ticks - 1):
                resident = _resident_mb()
    return {
        "ticks": ticks,
        "files": file_count,
        "launches": launches,
        "quiet_tick_p50_s": round(statistics.median(seconds), 4),
        "quiet_tick_max_s": round(max(seconds), 4),
        "tick_with_change_max_s": round(max(waiting), 4),
        "resident_after_warm_up_mb": round(resident, 1),
        "resident_growth_mb": round(_resident_mb() - resident, 1),
        "cursor_max_bytes": cursor_bytes,
    }


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--ticks", type=int, default=500)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--sources", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), ticks=wanted.ticks, file_count=wanted.files, source_count=wanted.sources)
    if wanted.json:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"{key:>28}  {value:,}")


if __name__ == "__main__":
    main()
