"""The files of a project that hold labelled rows: which they are, what they are called, and what stands in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rag_assets.evaluation.labelled_rows import Problem

PROBLEMS_SHOWN = 20


def matching_files(
    patterns: Sequence[str], root: Path, suffixes: Sequence[str], *, what: str
) -> tuple[list[Path], list[Problem]]:
    """The files that match, each once; and each pattern without any, and each file of another format, as a mistake.

    Relative patterns start at `root`. `what` is what the files hold, for people.
    """
    files: dict[Path, None] = {}
    problems = []
    for pattern in patterns:
        named = root / Path(pattern).expanduser()
        # A name with brackets in it is a name first, and a pattern only where there is no such file.
        matches = [named] if named.exists() else _glob(root, Path(pattern).expanduser())
        found = [path for path in matches if path.is_file()]
        if not found:
            why = "it is a folder; name the files in it, as in folder/*.jsonl" if named.is_dir() else "no file matches"
            problems.append(Problem(pattern, why))
        for path in found:
            if path.suffix.lower() not in suffixes:
                problems.append(Problem(shown(path, root), f"it is no file of {what}: {', '.join(suffixes)}"))
            files[path.resolve()] = None
    return list(files), problems


def _glob(root: Path, pattern: Path) -> list[Path]:
    if pattern.is_absolute():
        root, pattern = Path(pattern.anchor), pattern.relative_to(pattern.anchor)
    return sorted(root.glob(str(pattern)))


def text_of(file: Path, name: str) -> tuple[str, list[Problem]]:
    """What stands in a file of UTF-8 text, or the mistake that it is none."""
    try:
        return file.read_text("utf-8-sig"), []
    except UnicodeDecodeError as error:
        return "", [Problem(name, f"it is not UTF-8 text (byte {error.start:,}); save it as UTF-8")]
    except OSError as error:
        return "", [Problem(name, f"it cannot be read: {error.strerror}")]


def shown(file: Path, root: Path) -> str:
    """The name of `file` for people: below `root`, where it is there."""
    try:
        return file.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return str(file)


def described(problems: Sequence[Problem]) -> str:
    """How many mistakes there are, and the first of them with their places."""
    listed = [f"{each.place}: {each.what}" for each in problems[:PROBLEMS_SHOWN]]
    if len(problems) > PROBLEMS_SHOWN:
        listed.append(f"and {len(problems) - PROBLEMS_SHOWN:,} more")
    return f"{len(problems):,} mistake{'s' if len(problems) > 1 else ''}: {'; '.join(listed)}"
