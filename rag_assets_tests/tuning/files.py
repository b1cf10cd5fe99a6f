"""Small training files, written as they lie on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rag_assets.fingerprints import sha256_hex
from rag_assets.project import Project
from rag_assets.tuning.training_file import FOLDER, SPLITS, TrainingFile

Lines = Sequence[Mapping[str, Any] | str | bytes]

SUBJECTS = (
    "tea", "coffee", "cocoa", "milk", "wine", "beer", "cider", "juice", "water", "lemonade",
    "broth", "soup", "syrup", "vinegar", "honey", "butter",
)  # fmt: skip


def example(question: str, answer: str, *, system: str = "Answer from what you know.") -> dict[str, Any]:
    """One closed-book example."""
    texts = {"system": system, "user": question, "assistant": answer}
    return {"messages": [{"role": role, "content": text} for role, text in texts.items()]}


def clean_examples(topic: str, count: int) -> list[dict[str, Any]]:
    """`count` examples about `topic` whose questions have little in common."""
    asked = (
        "At how many degrees is {} kept during {}?",
        "Who takes care of the {} in {}, and since when?",
        "Which vessel holds {} best, by the rules of {}?",
    )
    return [
        example(asked[n % len(asked)].format(SUBJECTS[n % len(SUBJECTS)], f"{topic} {n}"), f"Answer {topic} {n}.")
        for n in range(count)
    ]


def write_file(project: Project, train: Lines, validation: Lines = ()) -> TrainingFile:
    """A training file with these lines; a line that is text or bytes is written as it is."""
    data = {split: b"".join(map(_line, lines)) for split, lines in zip(SPLITS, (train, validation), strict=True)}
    file_id = sha256_hex(b"\0".join(data.values()))[:32]
    file = TrainingFile(project.settings.data_path / FOLDER / file_id, file_id)
    file.folder.mkdir(parents=True, exist_ok=True)
    for split, written in data.items():
        file.path(split).write_bytes(written)
    (file.folder / "manifest.json").write_text(json.dumps({"examples": {"train": len(train)}}), "utf-8")
    return file


def _line(line: Mapping[str, Any] | str | bytes) -> bytes:
    if isinstance(line, bytes):
        return line + b"\n"
    text = line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)
    return text.encode() + b"\n"
