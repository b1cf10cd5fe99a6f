"""Starts a tuning when examples or settings changed. What happened last is read from the runs: see `attempts.py`."""

from __future__ import annotations

import dagster as dg

from rag_assets.assets.release_state import STATE_TAG
from rag_assets.automation.attempts import Standing, attempts_of, is_due
from rag_assets.automation.opening import with_project
from rag_assets.automation.orphans import end_orphans
from rag_assets.automation.sensors.examples import LAUNCHED_BY
from rag_assets.automation.tuning_jobs import tune_model
from rag_assets.automation.tuning_start import why_not_now
from rag_assets.project import Project
from rag_assets.resources.project import ProjectResource
from rag_assets.tuning.state import tuning_state


@dg.sensor(
    job=tune_model,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a tuning when examples or the settings of tuning changed (tuning.start.examples_changed) and, "
    "with tuning.start.snapshot_passed, the newest snapshot passed its gates. What a gate refused, an exceeded "
    "budget for one, waits for a change and costs nothing; automation.pause_after_failures failures in a row pause it.",
)
def tune_when_examples_changed(
    context: dg.SensorEvaluationContext, project: ProjectResource
) -> dg.SensorResult | dg.SkipReason:
    return with_project(project, lambda opened: tuning_tick(opened, context.instance))


def tuning_tick(project: Project, instance: dg.DagsterInstance) -> dg.SensorResult:
    """Launches the tuning of the present examples, or says why not."""
    end_orphans(instance)
    if not project.settings.tuning.start.examples_changed:
        return dg.SensorResult(skip_reason="Off: tuning.start.examples_changed is false in the configuration.")
    reason = why_not_now(project, instance)
    state = tuning_state(project)
    if reason or state is None:
        return dg.SensorResult(skip_reason=reason or "No set of examples was collected yet.")
    pause = project.settings.automation.pause_after_failures
    spend = project.settings.spend
    found = attempts_of(instance, tune_model.name, state, cancels=pause, pause_after=pause, spend=spend)
    if is_due(found):
        return dg.SensorResult(run_requests=[dg.RunRequest(tags={STATE_TAG: state, **LAUNCHED_BY})])
    if found.standing == Standing.DONE:
        return dg.SensorResult(skip_reason="The present examples were trained on already.")
    return dg.SensorResult(skip_reason=found.describe(job=tune_model.name, refused="nothing was paid. "))
