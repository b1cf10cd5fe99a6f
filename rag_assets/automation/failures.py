"""Why a run failed, in one sentence, as the events of the run tell it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import dagster as dg

from rag_assets.resources.project import INTERRUPTED

HOPELESS = frozenset(
    {
        "SourceHeldError",
        "GateError",
        "BudgetError",
        "ConfigurationError",
        "ExamplesError",
        "QuestionsError",
        "UnknownSourceError",
        "MissingDependencyError",
    }
)
"""Errors that a person has to mend: another try over the same files and settings ends in the same way."""


@dataclass(frozen=True, slots=True)
class RunFailure:
    """`error` says what went wrong; `hopeless`, that trying the same again does not mend it."""

    error: str
    hopeless: bool


def failure_in(events: Iterable[dg.DagsterEvent]) -> RunFailure | None:
    """The first failure among `events`: of a blocking check, its description; of a step, the failure's own."""
    for event in events:
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if evaluation.blocking and not evaluation.passed and evaluation.severity == dg.AssetCheckSeverity.ERROR:
                return RunFailure(f"The check {evaluation.check_name!r} failed: {evaluation.description}", True)
        if event.is_step_failure:
            failure = event.step_failure_data
            told = failure.user_failure_data
            if told and told.description:
                kind = told.metadata.get("error")
                return RunFailure(str(told.description), kind is not None and kind.value in HOPELESS)
            error = _innermost(failure.error) if failure.error else f"Step {event.step_key} failed."
            return RunFailure(error, False)
    return None


def was_interrupted(events: Iterable[dg.DagsterEvent]) -> bool:
    """Whether the run was stopped, as by Ctrl-C: within a step, or between two."""
    for event in events:
        if event.is_step_failure:
            told = event.step_failure_data.user_failure_data
            if told and told.description == INTERRUPTED:
                return True
        if event.event_type == dg.DagsterEventType.RUN_FAILURE:
            error = event.job_failure_data.error
            if error and error.cls_name in ("KeyboardInterrupt", "DagsterExecutionInterruptedError"):
                return True
    return False


def failure_of(instance: dg.DagsterInstance, run_id: str) -> RunFailure:
    """Why the run `run_id` failed or was cancelled, as far as its events are still there."""
    kinds = {
        dg.DagsterEventType.ASSET_CHECK_EVALUATION,
        dg.DagsterEventType.STEP_FAILURE,
        dg.DagsterEventType.RUN_FAILURE,
        dg.DagsterEventType.RUN_CANCELED,
    }
    events = [entry.dagster_event for entry in instance.all_logs(run_id, of_type=kinds) if entry.dagster_event]
    found = failure_in(events)
    if found is not None:
        return found
    said = next((event.message for event in events if event.message), None)
    return RunFailure(said or "The run ended before it could say why.", False)


def _innermost(error: Any) -> str:
    """The message of the error at the bottom: what is above it only says that retries were used up."""
    while error.cause is not None:
        error = error.cause
    return str(error.message).strip()
