"""A project whose models are tuned by the fine-tuning server, with a training file that passed its gates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rag_assets.project import Project
from rag_assets.tuning.gates import judge_training_file
from rag_assets.tuning.training_file import TrainingFile
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.fine_tuning_server import FineTuningServer
from rag_assets_tests.tuning.files import QUESTIONS, example, write_file

KEY_VARIABLE = "FINE_TUNING_TEST_KEY"


def configure(small: SmallProject, server: FineTuningServer, more: str = "", *, timeout_seconds: float = 0.3) -> None:
    """A compatible server tunes gpt-4o-mini; the embedded reader goes on answering."""
    limits = f"timeout_seconds: {timeout_seconds}, max_retries: 2"
    small.configure(f"""
        models:
          providers:
            tuner: {{base_url: "{server.base_url}", api_key_env: null, {limits}}}
        tuning: {{provider: tuner, base_model: gpt-4o-mini{more}}}
    """)


def passed_file(project: Project, topic: str = "winter") -> TrainingFile:
    """A training file about `topic` with its verdicts."""
    lines = [example(question, f"Answer {n}.", system=f"Answer about {topic}.") for n, question in enumerate(QUESTIONS)]
    file = write_file(project, lines[:16], lines[16:])
    judge_training_file(project, file)
    return file


@contextmanager
def opened(small: SmallProject) -> Iterator[tuple[Project, TrainingFile]]:
    """The project and its training file."""
    with small.open() as project:
        yield project, passed_file(project)
