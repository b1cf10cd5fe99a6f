"""`rag-assets tune`: from the sets of examples to a decision about the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_assets.cli.output import JsonOption, complain, print_json, progress_line, say

if TYPE_CHECKING:
    import dagster as dg

    from rag_assets.automation.runs import RunOutcome
    from rag_assets.automation.tuning_runs import ChainJobs, ChainOutcome
    from rag_assets.ledger import TuningJob
    from rag_assets.project import Project
    from rag_assets.tuning.polling import Polled

TAGS = {"rag_assets/launched_by": "command line"}
FILE_KEYS = ("training_file", "examples_train", "examples_validation", "examples_left_out", "examples_unanswerable")
COMPARISON_KEYS = (
    "comparison", "decision", "reason", "challenger", "champion", "release", "primary_n", "primary_champion",
    "primary_challenger", "primary_difference", "report_path",
)  # fmt: skip


def tune(
    wait: Annotated[
        bool, typer.Option(help="Wait for the job, then compare the model with the champion and decide.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Tune a model on the examples, compare it with the champion, and promote it if it is better.

    The gates judge the training file, the budget among them, before anything is paid. Nothing changed means nothing is
    trained or paid. With --no-wait it ends once the job is submitted; the next tune, or the sensors of rag-assets dev,
    take in what comes of it.

    Example: rag-assets tune --no-wait --json
    """
    from rag_assets.cli.instance import open_instance
    from rag_assets.errors import ConfigurationError
    from rag_assets.project import Project

    with Project.open() as project:
        if not project.settings.examples:
            raise ConfigurationError(
                "No set of examples is configured.", fix="Name some under examples in rag_assets.yaml."
            )
        with open_instance(project.settings) as instance:
            done = _tune(project, instance, wait=wait)
            summary = done.summary(project)
    if as_json:
        print_json(summary)
    else:
        _print(summary)
    done.complain_and_exit()


class _Done:
    """What was done: the runs so far, the job, and the run that took in its end."""

    def __init__(self, chain: ChainOutcome, job: TuningJob | None, finishing: RunOutcome | None) -> None:
        self.chain = chain
        self.job = job
        self.finishing = finishing

    def summary(self, project: Project) -> dict[str, Any]:
        """As plain values, for JSON."""
        made = self.chain.tuning.materialized if self.chain.tuning else {}
        finished = self.finishing.materialized if self.finishing else {}
        serving = project.ledger.serving()
        return {
            "sets": {name: _set(run) for name, run in self.chain.sets.items()},
            "training_file": _picked(made.get("training_file"), FILE_KEYS),
            "job": _job(self.job),
            "comparison": _picked(finished.get("model_comparison"), COMPARISON_KEYS),
            "release": serving.release_id if serving else None,
            "serves": serving.chat_model if serving else None,
        }

    def complain_and_exit(self) -> None:
        """Says on stderr what failed, and exits with 1 when anything did."""
        runs = [*self.chain.runs, *([self.finishing] if self.finishing else [])]
        failed = [run for run in runs if not run.succeeded]
        for run in failed:
            complain(f"error: {run.label}: {run.error}")
        if failed:
            raise typer.Exit(1)


def _tune(project: Project, instance: dg.DagsterInstance, *, wait: bool) -> _Done:
    from rag_assets.assets.fine_tuning import INTENT_TAG
    from rag_assets.assets.tuning_metadata import observation_of
    from rag_assets.automation.runs import run_job
    from rag_assets.automation.tuning_runs import collect_and_submit, submitted_job
    from rag_assets.tuning.polling import wait_until_ended

    jobs = _jobs()
    with progress_line() as status:
        chain = collect_and_submit(
            instance, jobs, project, tags=TAGS, on_start=lambda label: status.info("%s …", label)
        )
        job = submitted_job(project) if chain.succeeded else None
        if job is None or not wait:
            return _Done(chain, job, None)

        def on_progress(polled: Polled) -> None:
            status.info("%s", _progress(polled))
            if polled.events:  # each is told once: without this the asset's page would not have them
                instance.report_runless_asset_event(observation_of(polled))

        job = wait_until_ended(project, job.intent_id, on_progress=on_progress)
        status.info("comparing …")
        finishing = run_job(instance, jobs.finish_tuning, "comparison", tags={**TAGS, INTENT_TAG: job.intent_id})
    return _Done(chain, job, finishing)


def _jobs() -> ChainJobs:
    from rag_assets.automation.tuning_runs import ChainJobs
    from rag_assets.definitions import defs

    return ChainJobs(
        collect_examples=defs.resolve_job_def("collect_examples"),
        tune_model=defs.resolve_job_def("tune_model"),
        finish_tuning=defs.resolve_job_def("finish_tuning"),
    )


def _progress(polled: Polled) -> str:
    job = polled.job
    said = polled.events[-1].message if polled.events else job.details.get("status") or job.state
    return f"job {job.name}: {said}"


def _set(run: RunOutcome) -> dict[str, Any]:
    made = run.materialized.get("training_examples", {})
    return {
        "run_id": run.run_id,
        "succeeded": run.succeeded,
        "error": run.error,
        "examples": made.get("dagster/partition_row_count"),
        **{name: made.get(f"examples_{name}") for name in ("added", "changed", "removed")},
    }


def _picked(made: dict[str, Any] | None, keys: tuple[str, ...]) -> dict[str, Any] | None:
    """Of the metadata of a materialization what a program would read; None where there was none."""
    return None if made is None else {key: made[key] for key in keys if key in made}


def _job(job: TuningJob | None) -> dict[str, Any] | None:
    if job is None:
        return None
    return {
        "job_id": job.job_id,
        "intent_id": job.intent_id,
        "state": job.state,
        "provider": job.provider,
        "base_model": job.base_model,
        "model_id": job.model_id,
        "trained_tokens": job.trained_tokens,
        "estimated_cost_usd": job.estimated_cost_usd,
        "cost_usd": job.cost_usd,
        "error": job.error or None,
    }


def _print(summary: dict[str, Any]) -> None:
    for name, one in summary["sets"].items():
        say(f"examples {name}: {one['examples']} examples" if one["succeeded"] else f"examples {name}: refused")
    if file := summary["training_file"]:
        say(
            f"training file {file['training_file']}: {file['examples_train']} examples to train on, "
            f"{file['examples_validation']} to validate, {file['examples_left_out']} left out"
        )
    job = summary["job"]
    if job is None:
        return
    cost = "" if job["cost_usd"] is None else f", {job['cost_usd']:.2f} USD"
    made = f" and made {job['model_id']}" if job["model_id"] else ""
    say(f"job {job['job_id'] or job['intent_id']} on {job['base_model']} {job['state']}{made}{cost}")
    if compared := summary["comparison"]:
        say(f"comparison: {compared['decision']}; {compared['reason']}")
    if summary["serves"]:
        say(f"{summary['serves']} answers, by release {summary['release']}")
