"""The command `rag-assets` as a user runs it: a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORGOTTEN = ("RAG_ASSETS_CONFIG", "DAGSTER_HOME", "OPENAI_API_KEY", "GATEWAY_KEY")


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON value and nothing else."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The only line on standard error, which must say what is wrong."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: ")
        return lines[0].removeprefix("error: ")


def rag_assets(folder: Path, *arguments: str, **environment: str) -> Ran:
    """Runs `rag-assets` in `folder`. No command may ever show a traceback."""
    inherited = {key: value for key, value in os.environ.items() if key not in FORGOTTEN}
    done = subprocess.run(
        [sys.executable, "-m", "rag_assets.cli.main", *arguments],
        cwd=folder,
        env=inherited | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def configure(folder: Path, *sources: str, settings: str = "") -> Path:
    """Writes `rag_assets.yaml` with these sources, each a folder beside it."""
    lines = [settings.rstrip()] if settings else []
    lines.append("sources:" if sources else "sources: {}")
    for name in sources:
        (folder / name).mkdir(parents=True, exist_ok=True)
        lines.append(f"  {name}:\n    path: {name}")
    file = folder / "rag_assets.yaml"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file
