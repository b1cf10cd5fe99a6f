"""Opens the project for a tick of a sensor or a schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import dagster as dg

from rag_assets.errors import RagAssetsError
from rag_assets.project import Project
from rag_assets.resources.project import ProjectResource

Result = TypeVar("Result")


def with_project(project: ProjectResource, look: Callable[[Project], Result]) -> Result | dg.SkipReason:
    """What `look` says of the project; what a person has to mend is a tick that did nothing and says why.

    A mistake in the configuration would otherwise be a traceback of every sensor at every tick, until it is mended.
    Errors that nobody foresaw still fail the tick.
    """
    try:
        with project.open() as opened:
            return look(opened)
    except dg.Failure as failure:
        if isinstance(failure.__cause__, RagAssetsError):
            return dg.SkipReason(f"Did nothing. {failure.description}")
        raise
