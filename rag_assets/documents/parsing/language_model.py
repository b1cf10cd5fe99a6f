"""The model that tells languages, unpacked once for all processes of this user.

The package keeps it compressed: to unpack it takes half a second and 75 MB in every process, and every run that opens a
document starts one to three. Unpacked in the user's cache (67 MB) it is mapped, so that processes share its pages.

    $XDG_CACHE_HOME or ~/.cache / rag_assets / py3langid-<version>-<bytes> / ptc.npy pc.npy classes.npy …

Nothing depends on the cache: where it cannot be written or read, the process unpacks its own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

PARTS = ("ptc", "pc", "classes", "nextmove", "row", "output")
"""As `py3langid.modelio.load_model` returns them."""


def load_identifier() -> Any:
    """A `LanguageIdentifier` that gives probabilities."""
    from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier

    try:
        return _mapped(MODEL_DIR / MODEL_FILE)
    except (OSError, ValueError, TypeError, ImportError, RuntimeError):  # no cache, a damaged one, or another layout
        return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _mapped(packed: Path) -> Any:
    import numpy as np
    from py3langid.langid import LanguageIdentifier

    folder = cache_folder() / f"py3langid-{version('py3langid')}-{packed.stat().st_size}"
    if not folder.is_dir():
        _unpack(packed, folder)
    ptc, pc, classes, nextmove, row, output = (
        np.asarray(np.load(folder / f"{part}.npy", mmap_mode="r", allow_pickle=False)) for part in PARTS
    )
    return LanguageIdentifier(
        ptc, pc, classes.tolist(), memoryview(nextmove.data), output.tolist(), norm_probs=True, tk_row=row.tolist()
    )


def cache_folder() -> Path:
    """The folder of what can be made again at any time. Raises `RuntimeError` for a user without a home."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "rag_assets"


def _unpack(packed: Path, folder: Path) -> None:
    """Puts the model into `folder`, which is there whole or not at all."""
    import numpy as np
    from py3langid.modelio import load_model

    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        for part, values in zip(PARTS, load_model(packed), strict=True):
            np.save(made / f"{part}.npy", np.asarray(values), allow_pickle=False)
        made.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was first
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
