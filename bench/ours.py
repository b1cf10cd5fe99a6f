"""This project's own side of a comparison: a project in a folder, and its command as a user runs it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import Finished, run

FORGOTTEN = {"RAG_ASSETS_CONFIG": "", "DAGSTER_HOME": ""}
"""Variables that would lead the command to another project; the empty one counts as absent."""

BUDGET_TOKENS = 10_000_000_000  # the default stops a source above five million


@dataclass(frozen=True)
class OurProject:
    """A project of its own in `folder`: tables, ledger and Dagster's history stay below it."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, sources: Mapping[str, Path], *, settings: str = "", include: str = "") -> OurProject:
        """Writes its `rag_assets.yaml`. `settings` are further lines of it; `include` a pattern for every source."""
        folder.mkdir(parents=True, exist_ok=True)
        lines = [settings.rstrip(), "sources:"]
        for name, path in sources.items():
            lines += [f"  {name}:", f"    path: {path}", f"    token_budget: {BUDGET_TOKENS}"]
            lines += [f'    include: ["{include}"]'] if include else []
        (folder / "rag_assets.yaml").write_text("\n".join(lines).lstrip() + "\n", "utf-8")
        return cls(folder)

    @property
    def data(self) -> Path:
        """Everything it writes: tables, ledger, locks, Dagster's history."""
        return self.folder / ".rag_assets"

    def ingest(self, *arguments: str) -> tuple[Finished, dict[str, Any]]:
        """`rag-assets ingest --json`, Dagster run, ledger, checks and release included."""
        done = self.command("ingest", "--json", *arguments)
        return done, json.loads(done.out)

    def command(self, *arguments: str) -> Finished:
        """Any `rag-assets` command."""
        script = Path(sys.executable).with_name("rag-assets")
        return run([str(script), *arguments], cwd=self.folder, environment=FORGOTTEN)
