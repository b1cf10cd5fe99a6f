"""A training file as it is kept: content-addressed and immutable, each of its lines traceable to its origin.

<data_dir>/training_files/<file_id>/train.jsonl         OpenAI's chat format, one example a line
                                    validation.jsonl
                                    origins.jsonl       for each line: split, example, set, origin, chunks
                                    manifest.json       what the first writer knew: snapshot, sets, settings, counts

Only what is sent decides the name: an example that moved to another line is trained in the same way, and must not be
paid for again. Its origin is therefore that of the time of writing; by `example` its table knows the present one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from rag_assets.errors import TuningError
from rag_assets.ledger import Ledger

Split = Literal["train", "validation"]
SPLITS: tuple[Split, ...] = ("train", "validation")
FOLDER = "training_files"
ORIGINS = "origins.jsonl"
MANIFEST = "manifest.json"
INPUTS = ".inputs"
"""Where it is remembered which inputs gave which file."""
FILE_ID_LENGTH = 32
ASSET = "training_file"


@dataclass(frozen=True)
class TrainingFile:
    """One training file. `file_id` is `digest_of` the bytes of its two splits."""

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
        """One object for each example, train first, in the order of the lines. Raises `TuningError`, as `manifest`."""
        try:
            with (self.folder / ORIGINS).open(encoding="utf-8") as file:
                for line in file:
                    yield json.loads(line)
        except (OSError, ValueError):
            raise self._unreadable(ORIGINS) from None

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the first writer of these bytes knew: `examples` (split → count), `snapshot_id`, `sets`, `settings`.

        Raises `TuningError` where it was deleted or changed.
        """
        try:
            loaded = json.loads((self.folder / MANIFEST).read_text("utf-8"))
            if isinstance(loaded, dict):
                return loaded
        except (OSError, ValueError):
            pass
        raise self._unreadable(MANIFEST)

    def _unreadable(self, name: str) -> TuningError:
        return TuningError(
            f"{self.folder / name} cannot be read.",
            fix=f"Remove {self.folder} and materialize training_file again.",
        )


def newest_training_file(ledger: Ledger, data_path: Path) -> TrainingFile:
    """The training file that was made last. Raises `TuningError` when there is none, or it is gone."""
    made = ledger.stage_runs(ASSET, "", limit=1)
    if not made:
        raise TuningError("No training file was made yet.", fix="Materialize training_file, or run: rag-assets tune")
    return TrainingFile.open(data_path, made[0].data_version)


def digest_of(contents: Mapping[Split, bytes]) -> str:
    """The id of a training file whose splits hold these bytes: 32 characters."""
    digest = hashlib.sha256()
    for split in SPLITS:
        digest.update(f"{split}\0{len(contents[split])}\0".encode())
        digest.update(contents[split])
    return digest.hexdigest()[:FILE_ID_LENGTH]
