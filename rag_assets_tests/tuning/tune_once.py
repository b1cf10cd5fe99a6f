"""One process that tunes a model on the newest training file, from the intent to the registered model.

python -m rag_assets_tests.tuning.tune_once CONFIG
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rag_assets.failpoints import VARIABLE
from rag_assets.project import Project
from rag_assets.tuning.collecting import collect
from rag_assets.tuning.jobs import submit
from rag_assets.tuning.polling import wait_until_ended
from rag_assets.tuning.training_file import newest_training_file

ROOT = Path(__file__).parents[2]


def tune_once(
    config: Path, failpoint: str | None = None, timeout_seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Runs this module to its end, or to where `failpoint` kills it; standard output is the model's id."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if failpoint:
        environment[VARIABLE] = failpoint
    command = [sys.executable, "-W", "ignore", "-m", __name__, str(config)]
    return subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=timeout_seconds, check=False
    )


def main() -> None:
    with Project.open(Path(sys.argv[1])) as project:
        file = newest_training_file(project.ledger, project.settings.data_path)
        begun = submit(project, file, run_id=f"process {os.getpid()}")
        job = wait_until_ended(project, begun.job.intent_id, pause_seconds=0.02)
        print(collect(project, job).model.model_id)  # noqa: T201  (its answer)


if __name__ == "__main__":
    main()
