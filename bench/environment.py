"""The environment of the comparators: where its Python is, what it has, and how to make it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bench.processes import Finished, run

ROOT = Path(__file__).resolve().parents[1]
VARIABLE = "RAG_ASSETS_BENCH_PYTHON"
SCRIPTS = ROOT / "bench" / "comparators"
INSTALL = "make .venv-bench/.installed"
_LIST = (
    "import json, importlib.metadata as m; "
    "print(json.dumps({d.metadata['Name'].lower().replace('_', '-'): d.version for d in m.distributions()}))"
)


def python() -> Path:
    """The interpreter of the comparators: the one `RAG_ASSETS_BENCH_PYTHON` names, else that of `.venv-bench`."""
    return Path(os.environ.get(VARIABLE) or ROOT / ".venv-bench" / "bin" / "python")


@cache
def installed() -> Mapping[str, str]:
    """Distribution → version in that environment; empty where there is none."""
    if not python().exists():
        return {}
    found: dict[str, str] = json.loads(subprocess.run([python(), "-c", _LIST], capture_output=True, check=True).stdout)
    return found


def why_absent(*distributions: str) -> str | None:
    """None when all are installed, else one line that says what is missing and how to install it."""
    missing = [name for name in distributions if name not in installed()]
    return f"{', '.join(missing)} not in {python()}; run: {INSTALL}" if missing else None


def versions(*distributions: str) -> dict[str, str]:
    """The versions of those that are installed."""
    return {name: installed()[name] for name in distributions if name in installed()}


def run_comparator(script: str, arguments: Sequence[str], *, cwd: Path) -> tuple[Finished, dict[str, Any]]:
    """Runs `bench/comparators/<script>` there. Its last line of output is JSON."""
    done = run([str(python()), str(SCRIPTS / script), *arguments], cwd=cwd)
    return done, json.loads(done.out.strip().splitlines()[-1])
