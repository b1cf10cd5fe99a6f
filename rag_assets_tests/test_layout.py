"""How the code lies on disk."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_LINES = 350


def tracked(pattern: str) -> list[Path]:
    """The files of the repository that match, as git knows them; those deleted since are left out."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout of the repository")
    listed = subprocess.run(["git", "ls-files", "-z", pattern], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_no_module_is_too_long() -> None:
    modules = tracked("*.py")
    assert ROOT / "rag_assets/definitions.py" in modules
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in modules}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in tracked("rag_assets*/*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []
