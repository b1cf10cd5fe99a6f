"""A training file is there whole or not at all, whatever ends the process that writes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rag_assets.errors import TuningError
from rag_assets.tuning.building import Built, TrainingLine
from rag_assets.tuning.conversations import Conversation
from rag_assets.tuning.examples import Example
from rag_assets.tuning.keeping import keep, remember, remembered
from rag_assets.tuning.training_file import FOLDER, TrainingFile

ONE = """
from pathlib import Path
from rag_assets_tests.tuning.test_keeping import built
from rag_assets.tuning.keeping import keep
print(keep(Path({folder!r}), built("A?"), {{}})[0].file_id)
"""


def built(*prompts: str) -> Built:
    lines = []
    for prompt in prompts:
        example = Example(example_set="s", kind="questions", origin="a.jsonl:1", prompt=prompt, answer="Yes.\u2028")
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": example.answer}]
        lines.append(TrainingLine("train", example, (), Conversation(messages)))
    return Built(tuple(lines), ())


def test_a_process_that_is_killed_leaves_nothing_that_counts(tmp_path: Path) -> None:
    environment = {**os.environ, "RAG_ASSETS_FAILPOINT": "tuning.before_training_file_is_kept"}
    command = [sys.executable, "-W", "ignore", "-c", ONE.format(folder=str(tmp_path))]
    killed = subprocess.run(command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = (tmp_path / FOLDER).iterdir()
    assert left.name.startswith(".partial-")
    file, new = keep(tmp_path, built("A?"), {"examples": {"train": 1}})
    assert (new, file.manifest["examples"]) == (True, {"train": 1})
    assert left.exists(), "its writer may still be at work"
    os.utime(left, (0, 0))
    other, _ = keep(tmp_path, built("B?"), {})
    assert {path.name for path in (tmp_path / FOLDER).iterdir()} == {file.file_id, other.file_id}


def test_the_first_writer_of_the_same_lines_stays(tmp_path: Path) -> None:
    first, new = keep(tmp_path, built("A?", "B?"), {"snapshot_id": "one"})
    again, new_again = keep(tmp_path, built("A?", "B?"), {"snapshot_id": "two"})
    assert (new, new_again, again) == (True, False, first)
    assert TrainingFile.open(tmp_path, first.file_id).manifest["snapshot_id"] == "one"
    assert [line["messages"][1]["content"] for line in first.lines("train")] == ["Yes.\u2028"] * 2
    assert len(first.path("train").read_text("utf-8").splitlines()) == 2, "no text of a line ends it for anybody"
    remember(tmp_path, "inputs", first, {"snapshot_id": "two"})
    assert remembered(tmp_path, "inputs") == (first, {"snapshot_id": "two"})
    assert remembered(tmp_path, "others") is None


def test_a_disk_that_takes_nothing_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TuningError, match="cannot be written: No space left on device"):
        keep(tmp_path, built("A?"), {})
    assert list((tmp_path / FOLDER).iterdir()) == []
