"""Keeps a training file: written whole or not at all, under a name that its bytes decide, and never again."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rag_assets.errors import TuningError
from rag_assets.failpoints import failpoint
from rag_assets.tuning.building import Built
from rag_assets.tuning.training_file import FOLDER, INPUTS, MANIFEST, ORIGINS, SPLITS, TrainingFile, digest_of

PARTIAL = ".partial-"
ABANDONED_SECONDS = 3_600.0
"""A folder that is being written is there for less than a second; after an hour its writer is dead."""


def keep(data_path: Path, built: Built, manifest: Mapping[str, Any]) -> tuple[TrainingFile, bool]:
    """The training file with these lines, and whether it is new. An existing one keeps its origins and its manifest.

    Raises `TuningError` where the file was changed on disk, or cannot be written.
    """
    contents = {split: "".join(f"{line.text}\n" for line in built.of(split)).encode() for split in SPLITS}
    file_id = digest_of(contents)
    kept = TrainingFile(data_path / FOLDER / file_id, file_id)
    if kept.folder.is_dir():
        require_unchanged(kept)
        return kept, False
    origins = "".join(f"{json.dumps(line.origin)}\n" for line in built.lines)
    written = json.dumps({"file_id": file_id, **manifest}, indent=2, sort_keys=True)
    texts = {f"{split}.jsonl": contents[split] for split in SPLITS}
    try:
        new = _write(kept.folder, texts | {ORIGINS: origins.encode(), MANIFEST: written.encode()})
    except OSError as error:
        raise TuningError(
            f"The training file {file_id} cannot be written: {error.strerror}.", fix=f"Look at {data_path / FOLDER}."
        ) from None
    return kept, new


def require_unchanged(file: TrainingFile) -> None:
    """Raises `TuningError` unless the bytes of `file` are those that it has its name from."""
    try:
        found = digest_of({split: file.path(split).read_bytes() for split in SPLITS})
    except OSError as error:
        found = error.strerror or "unreadable"
    if found != file.file_id:
        raise TuningError(
            f"The training file {file.file_id} was changed on disk after it was made.",
            fix=f"Remove {file.folder} and materialize training_file again.",
        )


def remember(data_path: Path, inputs: str, file: TrainingFile, manifest: Mapping[str, Any]) -> None:
    """Says that these inputs give `file`, and what was found out about them. Other inputs may give it too."""
    folder = data_path / FOLDER / INPUTS
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, delete=False) as partial:
        json.dump({"file_id": file.file_id, "manifest": manifest}, partial)
    Path(partial.name).replace(folder / f"{inputs}.json")


def remembered(data_path: Path, inputs: str) -> tuple[TrainingFile, dict[str, Any]] | None:
    """The training file that these inputs gave, with what was found out then; None where it is to be made.

    Raises `TuningError` where the file was changed on disk.
    """
    try:
        known = json.loads((data_path / FOLDER / INPUTS / f"{inputs}.json").read_text("utf-8"))
        file = TrainingFile.open(data_path, known["file_id"])
    except (OSError, ValueError, KeyError, TuningError):
        return None
    require_unchanged(file)
    return file, known["manifest"]


def _write(folder: Path, contents: Mapping[str, bytes]) -> bool:
    """Whether it was written; not when another process was first, which wrote the same."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder.parent)
    partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=folder.parent))
    try:
        for name, data in contents.items():
            with (partial / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        partial.chmod(0o755)
        failpoint("tuning.before_training_file_is_kept")
        try:
            partial.rename(folder)
        except OSError:
            if folder.is_dir():
                return False
            raise
        return True
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Removes what processes that were killed left half-written."""
    for partial in folder.glob(f"{PARTIAL}*"):
        with suppress(FileNotFoundError):  # another process sweeps as well
            if time.time() - partial.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(partial, ignore_errors=True)
