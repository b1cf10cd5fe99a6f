"""One form for the results of every bench: figures with their spread, claims, and the machine they were measured on.

report = Report("incremental", settings={"documents": 10_000})
report.add("no-change run, whole process", "rag_assets", "s", [3.9, 4.0, 4.2])
report.claim("whole command on 10,000 unchanged files", "< 4 s", 3.9, met=3.9 < 4)
finish(report, arguments)          # prints the table or JSON, writes bench/results/incremental.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
OUR_PACKAGES = ("dagster", "lancedb", "pyarrow", "numpy", "onnxruntime", "sqlalchemy")


@dataclass(frozen=True)
class Figure:
    """Repeated measurements of one thing on one side; `size` is the amount of work where a bench varies it."""

    what: str
    side: str
    unit: str
    values: tuple[float, ...]
    size: int | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True)
class Claim:
    """What was promised and what was measured. `met` is None where this run could not tell."""

    claim: str
    required: str
    measured: str
    met: bool | None


@dataclass
class Report:
    """The result of one bench. `settings` name what a reader needs to repeat it; `skipped` says what is missing."""

    bench: str
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])
    started: float = field(default_factory=time.time)

    def add(self, what: str, side: str, unit: str, values: Sequence[float], *, size: int | None = None) -> None:
        """Records measurements; none at all are left out."""
        if values:
            self.figures.append(Figure(what, side, unit, tuple(values), size))

    def claim(self, claim: str, required: str, measured: float | None, unit: str = "", *, met: bool | None) -> None:
        """Records a claim beside its measurement."""
        shown = "not measured" if measured is None else f"{_number(measured)} {unit}".strip()
        self.claims.append(Claim(claim, required, shown, None if measured is None else met))

    def median(self, what: str, side: str, *, size: int | None = None) -> float | None:
        """The median of an added figure, if there is one."""
        found = [one for one in self.figures if (one.what, one.side) == (what, side) and one.size in (size, None)]
        return found[0].median if found else None

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values: the file format of `bench/results/*.json`."""
        own = {name: _version(name) for name in OUR_PACKAGES}
        figures = [
            asdict(figure) | {"median": figure.median, "min": min(figure.values), "max": max(figure.values)}
            for figure in self.figures
        ]
        return {
            "bench": self.bench,
            "machine": machine() | {"load_before": self.load_before, "load_after": os.getloadavg()[0]},
            "seconds": round(time.time() - self.started, 1),
            "settings": self.settings,
            "versions": own | self.versions,
            "figures": figures,
            "claims": [asdict(claim) for claim in self.claims],
            "skipped": self.skipped,
        }


def machine() -> dict[str, Any]:
    """What the figures depend on beside the code."""
    models = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = [line for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    return {
        "processor": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(int(memory[0].split()[1]) / 1e6, 1) if memory else None,
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def arguments(doc: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """The options that every bench has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"measurements of each side (default {rounds})")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where JSON is written (default bench/results)")
    return parser


def finish(report: Report, wanted: argparse.Namespace) -> None:
    """Writes `<bench>.json` and prints the report."""
    content = report.to_dict()
    wanted.out.mkdir(parents=True, exist_ok=True)
    (wanted.out / f"{report.bench}.json").write_text(json.dumps(content, indent=2) + "\n")
    print(json.dumps(content, indent=2) if wanted.json else table(content))


def table(content: Mapping[str, Any]) -> str:
    """A report as text, from the values of its file."""
    on = content["machine"]
    lines = [
        f"## {content['bench']}: {on['cores']} cores of {on['processor']}, "
        f"load {on['load_before']:.1f} to {on['load_after']:.1f}, {content['seconds']:,.0f} s",
        "settings: " + ", ".join(f"{key} {value}" for key, value in content["settings"].items()),
        "versions: " + ", ".join(f"{key} {value}" for key, value in content["versions"].items()),
    ]
    rows = [("what", "size", "side", "median", "min to max", "n", "unit")]
    rows += [
        (
            one["what"],
            "" if one["size"] is None else f"{one['size']:,}",
            one["side"],
            _number(one["median"]),
            f"{_number(one['min'])} to {_number(one['max'])}",
            str(len(one["values"])),
            one["unit"],
        )
        for one in content["figures"]
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for claim in content["claims"]:
        mark = {True: "met", False: "NOT MET", None: "open"}[claim["met"]]
        lines.append(f"{mark:>8}: {claim['claim']}: {claim['measured']} (required: {claim['required']})")
    lines += [f" skipped: {reason}" for reason in content["skipped"]]
    return "\n".join(lines)


def say(text: str) -> None:
    """Progress, to standard error."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
