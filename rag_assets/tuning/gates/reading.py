"""A training file as the gates read it: every line with its number, whatever it holds, and the bytes as one digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rag_assets.errors import TuningError
from rag_assets.tuning.training_file import SPLITS, Split, TrainingFile

MAX_FILE_BYTES = 512 * 1024 * 1024
"""The largest file that OpenAI takes: reference of `POST /files`."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `value` is what it holds; where that cannot be read, None, and `problem` says (kind, why)."""

    split: Split
    number: int
    text: str
    value: Any = None
    problem: tuple[str, str] | None = None

    @property
    def place(self) -> str:
        """For people: `train.jsonl:3`."""
        return f"{self.split}.jsonl:{self.number}"

    @property
    def example(self) -> dict[str, Any] | None:
        """The example that the line holds, if it has the shape of one: an object with a list of messages."""
        messages = self.value.get("messages") if isinstance(self.value, dict) else None
        sound = isinstance(messages, list) and messages and all(isinstance(message, dict) for message in messages)
        return self.value if sound else None


@dataclass(frozen=True)
class Contents:
    """What is in the files of a training file. `missing` are splits without a file, `too_large` those not read."""

    lines: tuple[Line, ...]
    digest: str
    origins: tuple[str, ...] = ()
    missing: tuple[Split, ...] = ()
    too_large: dict[Split, int] = field(default_factory=dict)

    def of(self, split: Split) -> list[Line]:
        """The lines of `split`."""
        return [line for line in self.lines if line.split == split]

    @cached_property
    def examples(self) -> tuple[tuple[Line, dict[str, Any]], ...]:
        """The lines that hold an example, with it."""
        return tuple((line, example) for line in self.lines if (example := line.example) is not None)

    @property
    def unreadable(self) -> int:
        """How many lines hold no example, and files were not read: what is counted says nothing about these."""
        return len(self.lines) - len(self.examples) + len(self.too_large)

    def origin_of(self, place: str) -> str:
        """Where the example at `place` comes from, as its builder wrote it down; empty where it did not."""
        name, _, number = place.partition(".jsonl:")
        at = int(number) - 1 + (len(self.of("train")) if name == "validation" else 0)
        return self.origins[at] if at < len(self.origins) else ""


def read_contents(file: TrainingFile) -> Contents:
    """Reads `file` once. Raises `TuningError` when it cannot be read."""
    digest = hashlib.sha256()
    lines: list[Line] = []
    missing: list[Split] = []
    too_large: dict[Split, int] = {}
    try:
        for split in SPLITS:
            path = file.path(split)
            if not path.is_file():
                missing.append(split)
                continue
            size = path.stat().st_size
            digest.update(f"{split}\0{size}\0".encode())
            _feed(digest, path)
            if size > MAX_FILE_BYTES:
                too_large[split] = size
            else:
                lines += _lines(split, path.read_bytes())
        origins = _origins(file.folder / "origins.jsonl")
    except OSError as error:
        raise TuningError(
            f"The training file {file.file_id} cannot be read: {error.strerror}.",
            fix="Materialize training_file again.",
        ) from None
    return Contents(tuple(lines), digest.hexdigest()[:32], origins, tuple(missing), too_large)


def content_digest(file: TrainingFile) -> str:
    """The digest of what would be sent, without understanding it; equals `read_contents(file).digest`."""
    digest = hashlib.sha256()
    for split in SPLITS:
        path = file.path(split)
        if path.is_file():
            digest.update(f"{split}\0{path.stat().st_size}\0".encode())
            _feed(digest, path)
    return digest.hexdigest()[:32]


def _feed(digest: Any, path: Path) -> None:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)


def _lines(split: Split, data: bytes) -> Iterator[Line]:
    if not data:
        return
    # Only \n ends a line: a text may hold U+2028, which `splitlines` takes for an end as well.
    for number, raw in enumerate(data.removesuffix(b"\n").split(b"\n"), start=1):
        yield _line(split, number, raw)


def _line(split: Split, number: int, raw: bytes) -> Line:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        shown = raw.decode("utf-8", "replace")
        return Line(split, number, shown, problem=("not_utf8", f"byte {error.start + 1} is no UTF-8"))
    if text.startswith("\ufeff"):
        return Line(split, number, text, problem=("byte_order_mark", "it begins with a byte order mark"))
    if not text.strip():
        return Line(split, number, text, problem=("blank_line", "it is blank"))
    try:
        value = json.loads(text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return Line(split, number, text, problem=("not_json", f"{error.msg} at column {error.colno}"))
    except RecursionError:
        return Line(split, number, text, problem=("not_json", "it is nested too deeply"))
    except ValueError as error:
        return Line(split, number, text, problem=("not_json", str(error)))
    return Line(split, number, text, value)


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("an object has a key twice")
    return values


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _origins(path: Path) -> tuple[str, ...]:
    """Each line's example set and origin; what is not readable there is no reason to judge nothing."""
    if not path.is_file():
        return ()
    return tuple(map(_origin, path.read_text("utf-8", "replace").splitlines()))


def _origin(line: str) -> str:
    try:
        value = json.loads(line)
    except ValueError:
        return ""
    if not isinstance(value, dict):
        return ""
    return " ".join(str(value[key]) for key in ("example_set", "set", "origin") if value.get(key))
