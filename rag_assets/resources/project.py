"""The Dagster face of a project: settings, store, ledger and models, opened anew for every run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from rag_assets.errors import ProviderUnavailableError, RagAssetsError, RateLimitError, TableLockedError
from rag_assets.project import Project

RETRIABLE = (ProviderUnavailableError, RateLimitError, TableLockedError)


class ProjectResource(dg.ConfigurableResource["ProjectResource"]):
    """Opens the project that the configuration describes when a run starts, not when the code location loads."""

    config_file: str | None = None
    """Path of the configuration; by default `RAG_ASSETS_CONFIG`, or the nearest `rag_assets.yaml`."""

    @contextmanager
    def open(self) -> Iterator[Project]:
        """The project for the length of one step.

        An error that a user can act on fails the step with its one clear sentence; only errors that may pass by
        themselves (a busy or unreachable provider, a lock) are retried by the asset's retry policy.
        """
        try:
            with Project.open(Path(self.config_file) if self.config_file else None) as project:
                yield project
        except RagAssetsError as error:
            raise dg.Failure(
                description=str(error),
                metadata={"error": type(error).__name__, "problem": error.problem, "fix": error.fix or "—"},
                allow_retries=isinstance(error, RETRIABLE),
            ) from error
