"""What the processes of `test_concurrency.py` do: spawned, so it lives in a module of its own."""

from __future__ import annotations

import logging
import os
import traceback
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

ROUND_SECONDS = 240


def _open(folder: Path) -> Any:
    """The instance that the command line would open in `folder`."""
    os.chdir(folder)
    os.environ["RAG_ASSETS_CONFIG"] = str(folder / "rag_assets.yaml")
    os.environ["RAG_ASSETS_EMBEDDED_REQUEST_LOG"] = str(folder / "requests.jsonl")
    os.environ["DAGSTER_HOME"] = str(folder / "dagster")
    logging.disable(logging.CRITICAL)
    from rag_assets.cli.instance import open_instance
    from rag_assets.config_file import load_settings

    return open_instance(load_settings())


def ingest_rounds(folder: Path, source: str, rounds: int, barrier: Barrier, errors: Queue[str]) -> None:
    """What `rag-assets ingest --source SOURCE` does, once in each round, in one process."""
    try:
        with _open(folder) as instance:
            from rag_assets.assets import sync_partitions
            from rag_assets.automation.runs import Jobs, refresh
            from rag_assets.definitions import defs
            from rag_assets.project import Project

            jobs = Jobs(
                ingest_source=defs.resolve_job_def("ingest_source"),
                release_index=defs.resolve_job_def("release_index"),
            )
            for number in range(rounds):
                barrier.wait(timeout=ROUND_SECONDS)
                with Project.open() as project:
                    sync_partitions(instance, project)
                outcome = refresh(instance, jobs, [source])
                for run in outcome.runs:
                    if not run.succeeded:
                        errors.put(f"round {number}, {source}, {run.label}: {run.error}")
                barrier.wait(timeout=ROUND_SECONDS)
    except Exception:
        errors.put(f"{source}: {traceback.format_exc()}")
        barrier.abort()
        raise


def maintain(folder: Path, ended: Event, runs: Any, errors: Queue[str]) -> None:
    """The job `maintenance`, again and again; counts its runs in `runs`."""
    try:
        with _open(folder) as instance:
            from rag_assets.automation.runs import run_job
            from rag_assets.definitions import defs

            job = defs.resolve_job_def("maintenance")
            while not ended.wait(timeout=0.2):
                outcome = run_job(instance, job, "maintenance")
                if not outcome.succeeded:
                    errors.put(f"maintenance: {outcome.error}")
                with runs.get_lock():
                    runs.value += 1
    except Exception:
        errors.put(f"maintenance: {traceback.format_exc()}")
        raise
