"""Where the labelled corpora are, which are no part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "RAG_ASSETS_CORPORA"


def corpus_folder(name: str) -> Path:
    """The folder `name` in the one that `RAG_ASSETS_CORPORA` names, else in `shared/corpora` beside the repository.

    Exits with one line when it is absent.
    """
    folder = Path(os.environ.get(VARIABLE) or Path(__file__).resolve().parents[2] / "shared" / "corpora") / name
    if not folder.is_dir():
        raise SystemExit(f"{folder} does not exist; set {VARIABLE} to the folder that holds {name}.")
    return folder
