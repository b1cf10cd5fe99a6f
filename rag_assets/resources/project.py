"""The Dagster face of a project: settings, store, ledger and models, opened anew for every run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from pydantic import PrivateAttr

from rag_assets.errors import ProviderUnavailableError, RagAssetsError, RateLimitError, TableLockedError
from rag_assets.project import Project
from rag_assets.store.run_lock import RunLock

PROGRESS = logging.getLogger("rag_assets.progress")
INTERRUPTED = "The run was stopped. What was finished is kept; the next run goes on from there."
RETRIABLE = (ProviderUnavailableError, RateLimitError, TableLockedError)


def as_failure(error: RagAssetsError) -> dg.Failure:
    """What a step fails with: the one clear sentence, retried only where the same may go well the next time."""
    return dg.Failure(
        description=str(error),
        metadata={"error": type(error).__name__, "problem": error.problem, "fix": error.fix or "—"},
        allow_retries=isinstance(error, RETRIABLE),
    )


class ProjectResource(dg.ConfigurableResource["ProjectResource"]):
    """Opens the project that the configuration describes when a run starts, not when the code location loads."""

    config_file: str | None = None
    """Path of the configuration; by default `RAG_ASSETS_CONFIG`, or the nearest `rag_assets.yaml`."""

    _held: dict[str, RunLock] = PrivateAttr(default_factory=dict)
    _in_run: bool = PrivateAttr(default=False)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """From here to `teardown_after_execution` it serves one run, or one step of a run in processes of its own."""
        self._in_run = True

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Lets other runs have the sources of this one."""
        self._in_run = False
        self._release()

    @contextmanager
    def open(self) -> Iterator[Project]:
        """The project for the length of one step.

        An error that a user can act on fails the step with its one clear sentence; only errors that may pass by
        themselves (a busy or unreachable provider, a lock) are retried by the asset's retry policy. Who stops a run
        means it: left alone, Dagster would retry an interrupted step too, and the run would go on to its end.
        """
        try:
            with Project.open(Path(self.config_file) if self.config_file else None) as project:
                yield project
        except RagAssetsError as error:
            raise as_failure(error) from error
        except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError) as stop:
            if not self._in_run:
                raise
            raise dg.Failure(description=INTERRUPTED, allow_retries=False) from stop

    @contextmanager
    def open_source(self, context: dg.AssetExecutionContext) -> Iterator[Project]:
        """`open` for a step of the source that is the partition, which from here on no other run works on.

        The first step of a run waits for the source and the end of the run lets it go, so that two runs of one source,
        however they were started, end as if one had come after the other. Under the multiprocess executor that holds of
        each step: what a step requires it reads after it has the source.
        """
        name = context.partition_key
        with self.open() as project:
            project.settings.source(name)
            with self._holding(project, context, f"source-{name}", f"the source {name}"):
                yield project

    @contextmanager
    def open_example_set(self, context: dg.AssetExecutionContext) -> Iterator[Project]:
        """`open` for a step of the set of examples that is the partition, which from here on no other run works on."""
        name = context.partition_key
        with self.open() as project:
            project.settings.example_set(name)
            with self._holding(project, context, f"examples-{name}", f"the set of examples {name}"):
                yield project

    @contextmanager
    def open_release(self, context: dg.AssetExecutionContext) -> Iterator[Project]:
        """`open` for a step between the index and what serves: from here on no other run takes one until this one ends.

        A run then releases the snapshot that it took and measured, and not one that another run took meanwhile.
        """
        with self.open() as project, self._holding(project, context, "releasing", "the release"):
            yield project

    @contextmanager
    def _holding(self, project: Project, context: dg.AssetExecutionContext, name: str, label: str) -> Iterator[None]:
        if name not in self._held:
            self._held[name] = _acquired(project, context, name, label)
        try:
            yield
        finally:
            if not self._in_run:  # called without a run, in a test or a notebook
                self._release()

    def _release(self) -> None:
        while self._held:
            self._held.popitem()[1].release()


def _acquired(project: Project, context: dg.AssetExecutionContext, name: str, label: str) -> RunLock:
    def on_wait(message: str) -> None:
        context.log.info(message)
        PROGRESS.info(message)

    lock = RunLock(
        project.settings.data_path / "locks",
        name,
        label=label,
        timeout_seconds=project.settings.store.lock_timeout_seconds,
        run=f"run {context.run.run_id}",
        on_wait=on_wait,
    )
    lock.acquire()
    return lock
