"""The chain from examples to a decision, run in this process, each step a run of its own that the instance records.

The command line and the job `collect_and_tune` both come here, so that one rule holds: a set of examples with a mistake
stops the tuning before anything is paid, for a model trained on half of the examples is not what was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import dagster as dg

from rag_assets.assets import sync_example_sets
from rag_assets.assets.release_state import STATE_TAG
from rag_assets.automation.orphans import end_orphans
from rag_assets.automation.runs import RunOutcome, run_job
from rag_assets.ledger import TuningJob
from rag_assets.project import Project
from rag_assets.tuning.state import example_set_state, tuning_state


@dataclass(frozen=True, slots=True)
class ChainJobs:
    """The resolved jobs of the code location."""

    collect_examples: dg.JobDefinition
    tune_model: dg.JobDefinition
    finish_tuning: dg.JobDefinition


@dataclass(frozen=True, slots=True)
class ChainOutcome:
    """The runs of the chain so far: each set's by its name, the submission, and the end of it."""

    sets: dict[str, RunOutcome] = field(default_factory=dict)
    tuning: RunOutcome | None = None

    @property
    def runs(self) -> list[RunOutcome]:
        return [*self.sets.values(), *([self.tuning] if self.tuning else [])]

    @property
    def succeeded(self) -> bool:
        """Whether a job is submitted, or was before."""
        return self.tuning is not None and self.tuning.succeeded


def collect_and_submit(
    instance: dg.DagsterInstance,
    jobs: ChainJobs,
    project: Project,
    *,
    tags: Mapping[str, str],
    on_start: Callable[[str], None] = lambda label: None,
) -> ChainOutcome:
    """Collects every configured set of examples, then writes the training file, judges it and submits the job."""
    end_orphans(instance)
    sync_example_sets(instance, project)
    sets = {}
    for name in sorted(project.settings.examples):
        on_start(f"examples {name}")
        state = {STATE_TAG: example_set_state(project, name)}
        sets[name] = run_job(
            instance, jobs.collect_examples, f"examples {name}", partition_key=name, tags={**tags, **state}
        )
    if not all(run.succeeded for run in sets.values()):
        return ChainOutcome(sets)
    on_start("tuning")
    state = {STATE_TAG: tuning_state(project) or ""}
    return ChainOutcome(sets, run_job(instance, jobs.tune_model, "tuning", tags={**tags, **state}))


def submitted_job(project: Project) -> TuningJob | None:
    """The attempt that `fine_tuning_job` stands for now."""
    known = project.ledger.stage_runs("fine_tuning_job", "", limit=1)
    return project.ledger.tuning_job(known[0].data_version) if known else None
