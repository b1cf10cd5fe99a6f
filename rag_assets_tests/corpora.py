"""Where tests find the collections of real documents that live outside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "RAG_ASSETS_CORPORA"


def corpus(name: str) -> Path:
    """The folder of the named corpus; skips the test, with the reason, where it is absent."""
    named = os.environ.get(VARIABLE)
    repository = Path(__file__).resolve().parents[1]
    folder = Path(named) if named else repository.parent / "shared" / "corpora"
    if not (folder / name).is_dir():
        pytest.skip(f"the corpus {name} is not in {folder}; set {VARIABLE} to the folder that holds it")
    return folder / name
