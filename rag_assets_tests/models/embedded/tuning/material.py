"""Small training files, and jobs that are followed to their end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import openai
from openai.types.fine_tuning import FineTuningJob

from rag_assets.models.embedded.prompt_format import PromptPassage, render_passages, render_question
from rag_assets.models.embedded.tuning.records import ACTIVE
from rag_assets.models.embedded.tuning.supervision import TAKEN, JobFolder
from rag_assets_tests.models.embedded.wire_client import connect

STREETS = ("Rye", "Oak", "Elm", "Ash", "Fir", "Yew", "Box", "Fig")
WAIT_SECONDS = 60.0


def prompt(number: int) -> str:
    street = STREETS[number % len(STREETS)]
    passages = [
        PromptPassage(1, "Mills", f"The mill of {street} Street grinds {number} sacks. It is open. It opened in 1850."),
        PromptPassage(
            2, "Bridges", f"Bridge {number} crosses the Lune. Its toll is {number} pence. It was painted red."
        ),
    ]
    return f"{render_passages(passages)}\n\n{render_question(f'What colour does bridge {number} have?')}"


def messages(number: int) -> list[dict[str, Any]]:
    return [
        {"role": "system", "content": "Quote."},
        {"role": "user", "content": prompt(number)},
        {"role": "assistant", "content": "It was painted red. [2]"},
    ]


def jsonl(numbers: Iterable[int]) -> bytes:
    return "".join(json.dumps({"messages": messages(number)}) + "\n" for number in numbers).encode()


def upload(client: openai.OpenAI, content: bytes, name: str = "train.jsonl") -> str:
    return client.files.create(file=(name, content), purpose="fine-tune").id


def start(client: openai.OpenAI, *, validation: bool = True, examples: int = 12, **settings: Any) -> FineTuningJob:
    """A job that is on its way, on the same examples each time."""
    training_file = upload(client, jsonl(range(examples)))
    if validation:
        settings["validation_file"] = upload(client, jsonl(range(50, 54)), "valid.jsonl")
    return client.fine_tuning.jobs.create(**{"model": "extractive-reader", "training_file": training_file} | settings)


def finished(state_dir: Path, job_id: str) -> FineTuningJob:
    """The job at its end, which another client waits for as any would."""
    deadline = time.monotonic() + WAIT_SECONDS
    with connect(state_dir=state_dir) as client:
        while (job := client.fine_tuning.jobs.retrieve(job_id)).status in ACTIVE:
            assert time.monotonic() < deadline, f"{job}\n{log_of(state_dir, job_id)}"
            time.sleep(0.05)
    return job


def log_of(state_dir: Path, job_id: str) -> list[str]:
    log = JobFolder(state_dir, job_id).log
    return log.read_text("utf-8").splitlines() if log.exists() else []


def takers(state_dir: Path, job_id: str) -> list[int]:
    """The ids of the processes that had the job, in order."""
    lines = [line.removeprefix(TAKEN).split() for line in log_of(state_dir, job_id) if line.startswith(TAKEN)]
    return [int(line[0]) for line in lines]


def learnt(state_dir: Path, job: FineTuningJob) -> tuple[dict[str, bytes], bytes]:
    """The files of the job's model, and its results."""
    assert job.fine_tuned_model is not None
    folder = state_dir / "models" / job.fine_tuned_model.rpartition(":")[2]
    return {file.name: file.read_bytes() for file in folder.iterdir()}, (
        state_dir / "files" / job.result_files[0]
    ).read_bytes()
