"""What became of the releases of the present state, whoever launched them.

A flip by a person (a rollback, a promotion) is none of these runs, and so is never undone while the state stays.
"""

from __future__ import annotations

from dataclasses import replace

import dagster as dg

from rag_assets.assets.release_state import ReleaseState
from rag_assets.automation import history
from rag_assets.automation.attempts import Attempts, Standing, attempts_of
from rag_assets.project import Project


def attempts(project: Project, instance: dg.DagsterInstance, state: ReleaseState) -> Attempts:
    """What the newest runs of `release_index` came to, as far back as they were for just this state."""
    cancels = project.settings.automation.pause_after_failures
    found = attempts_of(instance, history.RELEASE_INDEX, state.name, cancels=cancels, spend=project.settings.spend)
    if found.standing == Standing.DONE and _something_else_since(project, instance, found):
        return replace(found, standing=Standing.DUE)
    return found


def describe(found: Attempts) -> str:
    """A sentence for people; empty when the state is due or released."""
    return found.describe(job=history.RELEASE_INDEX, refused="what served goes on serving. ")


def _something_else_since(project: Project, instance: dg.DagsterInstance, found: Attempts) -> bool:
    """Whether everything was deleted since, or the asset `release` was materialized to something else by itself."""
    if not project.ledger.releases():
        return True
    newest = project.ledger.stage_runs("release", "", limit=1)
    if not newest or found.ended_at is None or newest[0].created_at <= found.ended_at:
        return False
    (last,) = history.newest_ended(instance, history.RELEASE_INDEX, limit=1)
    return newest[0].run_id != last.run_id
