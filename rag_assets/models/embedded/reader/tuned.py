"""A reader that was tuned on examples, in memory and as a folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from rag_assets.errors import ModelError
from rag_assets.models.embedded.reader.scoring import ScoringModel

_MANIFEST, _SCORING = "reader.json", "scoring.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class TunedReader:
    """What tuning finds: pass it to `read` or `judge` as their model."""

    scoring: ScoringModel

    def save(self, folder: Path) -> None:
        """Writes the reader into `folder`, which is made; the same reader gives the same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        self.scoring.save(folder / _SCORING)
        sums = {_SCORING: _sha256(folder / _SCORING)}
        (folder / _MANIFEST).write_text(json.dumps({"format": _FORMAT, "sha256": sums}) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> TunedReader:
        """Reads what `save` wrote; raises `ModelError` where anything is missing, changed or of another version."""
        try:
            manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
            if manifest["format"] != _FORMAT:
                raise _damaged(folder, f"its format is {manifest['format']}, this version reads {_FORMAT}")
            for name, wanted in manifest["sha256"].items():
                if _sha256(folder / name) != wanted:
                    raise _damaged(folder, f"{name} is not the file that was written")
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise _damaged(folder, f"{type(error).__name__}: {error}") from error
        return cls(ScoringModel.load(folder / _SCORING))


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _damaged(folder: Path, why: str) -> ModelError:
    return ModelError(f"{folder} does not hold a tuned reader: {why}.", fix="Tune it again, or use another model.")
