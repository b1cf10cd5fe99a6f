"""Small training files, written as they lie on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rag_assets.fingerprints import sha256_hex
from rag_assets.project import Project
from rag_assets.tuning.training_file import FOLDER, SPLITS, TrainingFile

Lines = Sequence[Mapping[str, Any] | str | bytes]

QUESTIONS = (
    "At how many degrees is green tea brewed?",
    "Who keeps the keys of the wine cellar?",
    "Which barrel holds the oldest cider?",
    "How long does sourdough rest before it is baked?",
    "Why was the copper kettle taken out of use?",
    "When does the first delivery of milk arrive?",
    "Where are broken cups reported?",
    "What is written on the label of a jar of honey?",
    "How often are the coffee grinders cleaned?",
    "Can guests bring their dog to breakfast?",
    "Which supplier brings lemons in winter?",
    "How much salt goes into ten litres of broth?",
    "Who signs for bottles that were returned?",
    "What happens to bread that nobody bought?",
    "Does the terrace close when it rains?",
    "How is the temperature of the cold store checked?",
    "Which cheese needs no refrigeration?",
    "Why do waiters carry two notebooks?",
    "When was the stone oven last repaired?",
    "Where is the spare cutlery kept?",
)


def example(question: str, answer: str, *, system: str = "Answer from what you know.") -> dict[str, Any]:
    """One closed-book example."""
    texts = {"system": system, "user": question, "assistant": answer}
    return {"messages": [{"role": role, "content": text} for role, text in texts.items()]}


def clean_examples() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """16 training and 4 validation examples whose questions have little in common."""
    made = [example(question, f"Answer {number}.") for number, question in enumerate(QUESTIONS)]
    return made[:16], made[16:]


def write_clean(project: Project) -> TrainingFile:
    """A file that every gate lets pass."""
    return write_file(project, *clean_examples())


def write_file(place: Project | Path, train: Lines, validation: Lines = ()) -> TrainingFile:
    """A training file with these lines, kept in a project or folder; a line of text or bytes is written as it is."""
    data_path = place if isinstance(place, Path) else place.settings.data_path
    data = {split: b"".join(map(_line, lines)) for split, lines in zip(SPLITS, (train, validation), strict=True)}
    file_id = sha256_hex(b"\0".join(data.values()))[:32]
    file = TrainingFile(data_path / FOLDER / file_id, file_id)
    file.folder.mkdir(parents=True, exist_ok=True)
    for split, written in data.items():
        file.path(split).write_bytes(written)
    (file.folder / "manifest.json").write_text(json.dumps({"examples": {"train": len(train)}}), "utf-8")
    return file


def _line(line: Mapping[str, Any] | str | bytes) -> bytes:
    if isinstance(line, bytes):
        return line + b"\n"
    if isinstance(line, Mapping):
        try:
            return json.dumps(line, ensure_ascii=False).encode() + b"\n"
        except UnicodeEncodeError:  # half a pair of surrogates, which JSON can write only as an escape
            return json.dumps(line).encode() + b"\n"
    return line.encode() + b"\n"
