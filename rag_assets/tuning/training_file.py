"""A training file as it is kept: content-addressed and immutable, each of its lines traceable to its origin.

<data_dir>/training_files/<file_id>/train.jsonl         OpenAI's chat format, one example a line
                                    validation.jsonl
                                    origins.jsonl       for each line: split, example, set, origin, chunks
                                    manifest.json       what the first writer knew: snapshot, sets, settings, counts
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from rag_assets.errors import TuningError

Split = Literal["train", "validation"]
SPLITS: tuple[Split, ...] = ("train", "validation")
FOLDER = "training_files"


@dataclass(frozen=True)
class TrainingFile:
    """One training file. `file_id` is a hash of the bytes of its three `.jsonl` files."""

    folder: Path
    file_id: str

    @classmethod
    def open(cls, data_path: Path, file_id: str) -> TrainingFile:
        """The training file with this id. Raises `TuningError` when it is not kept here."""
        found = cls(data_path / FOLDER / file_id, file_id)
        if not found.path("train").is_file():
            raise TuningError(
                f"There is no training file {file_id!r} in {data_path / FOLDER}.",
                fix="Materialize training_file, or run: rag-assets tune",
            )
        return found

    def path(self, split: Split) -> Path:
        """Where the lines of `split` are."""
        return self.folder / f"{split}.jsonl"

    def lines(self, split: Split) -> Iterator[dict[str, Any]]:
        """The examples of `split` as they are sent: `{"messages": [...]}`."""
        with self.path(split).open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)

    def origins(self) -> Iterator[dict[str, Any]]:
        """One object for each example, train first, in the order of the lines."""
        with (self.folder / "origins.jsonl").open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the first writer of these bytes knew: `examples` (split → count), `snapshot_id`, `sets`, `settings`."""
        loaded: dict[str, Any] = json.loads((self.folder / "manifest.json").read_text("utf-8"))
        return loaded
