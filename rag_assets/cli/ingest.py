"""`rag-assets ingest`: bring sources up to date through Dagster, and release what passed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from rag_assets.cli.output import JsonOption, complain, print_json, progress_line

if TYPE_CHECKING:
    from rag_assets.automation.runs import RefreshOutcome, RunOutcome
    from rag_assets.ledger import Failure
    from rag_assets.project import Project

PARTLY_DONE = 3
ANNOUNCED_SAMPLE = 200
"""Documents of each source that are looked at to say what another generation takes, which is a matter of seconds."""
SHOWN_METRICS = ("mrr_at_10", "answer_contains", "refusal_precision", "refusal_recall")


def ingest(
    source: Annotated[list[str] | None, typer.Option("--source", "-s", help="A source; may be repeated.")] = None,
    all_sources: Annotated[bool, typer.Option("--all", help="Every configured source (the default).")] = False,
    release: Annotated[bool, typer.Option(help="Release the index when every gate passed.")] = True,
    confirm_removals: Annotated[
        bool, typer.Option("--confirm-removals", help="Agree to what a hold of these sources would remove.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring sources up to date and release the index. Nothing changed means nothing is embedded, written or released.

    Example: rag-assets ingest --source handbook --json
    """
    from rag_assets.errors import ConfigurationError
    from rag_assets.project import Project

    if source and all_sources:
        raise ConfigurationError("--source and --all were both given.", fix="Give one of them.")
    with Project.open() as project:
        names = _names(project, source)
        if confirm_removals:
            _confirm(project, names)
        done = bring_up_to_date(project, names, release=release, confirmed=confirm_removals and not source)
    if as_json:
        print_json(done.summary)
    else:
        done.print()
    done.complain_and_exit()


@dataclass(frozen=True, slots=True)
class Ingested:
    """What an ingest did. `configured`: there are golden questions. `failed`: documents that stand failed."""

    outcome: RefreshOutcome
    summary: dict[str, Any]
    failed: list[Failure]
    seconds: float
    configured: bool

    def print(self) -> None:
        """The results as text."""
        _print(self.summary, self.outcome, self.seconds, configured=self.configured)

    def complain_and_exit(self) -> None:
        """Says on stderr what failed, and exits with a code other than 0 when anything did."""
        for run in self.outcome.runs:
            if not run.succeeded:
                complain(f"error: {run.label}: {run.error}")
        for failure in self.failed:
            complain(f"failed: {failure.source}: {failure.error}")
        _exit(self.outcome, bool(self.failed))


def bring_up_to_date(
    project: Project, names: tuple[str, ...], *, release: bool = True, confirmed: bool = False
) -> Ingested:
    """Ingests the sources `names` through Dagster, and releases the index."""
    start = time.perf_counter()
    announced = _announce(project, names)
    with progress_line() as status:
        outcome = _run(project, names, release, confirmed, lambda label: status.info("%s …", label))
    return Ingested(
        outcome=outcome,
        summary=_summary(project, outcome) | {"generation": announced},
        failed=[failure for failure in project.ledger.failures() if failure.source in outcome.sources],
        seconds=time.perf_counter() - start,
        configured=bool(project.settings.evaluation.questions),
    )


def _names(project: Project, wanted: list[str] | None) -> tuple[str, ...]:
    from rag_assets.errors import ConfigurationError

    for name in wanted or ():
        project.settings.source(name)
    names = tuple(dict.fromkeys(wanted)) if wanted else project.source_names
    if not names:
        raise ConfigurationError(
            "No source is configured.", fix="Run: rag-assets sources add NAME --path FOLDER, or write rag_assets.yaml."
        )
    return names


def _confirm(project: Project, names: tuple[str, ...]) -> None:
    for name in names:
        if project.ledger.hold_for(name) is not None:
            project.ledger.confirm_hold(name)


def _announce(project: Project, names: tuple[str, ...]) -> dict[str, Any] | None:
    """Says on stderr what another generation takes, before it is built beside the one that serves.

    None where the generation that serves is the configured one, or nothing of the other is to be embedded.
    """
    from rag_assets.cli.estimate import money
    from rag_assets.estimating.estimate import estimate
    from rag_assets.estimating.generation import generation_change

    change = generation_change(project)
    if not change.is_another:
        return None
    found = estimate(project.settings, sources=names, sample=ANNOUNCED_SAMPLE)
    if not (change.new or found.total.texts_to_embed):
        return None
    about = "" if found.exact else "about "
    complain(
        f"{change}; {about}{found.total.texts_to_embed:,} texts with {found.total.tokens_to_embed:,} tokens to embed, "
        f"{about}{money(found.total.cost_usd)}"
    )
    return {
        **found.to_dict()["generation"],
        "exact": found.exact,
        "texts_to_embed": found.total.texts_to_embed,
        "tokens_to_embed": found.total.tokens_to_embed,
        "cost_usd": found.total.cost_usd,
    }


def _run(project: Project, names: tuple[str, ...], release: bool, confirmed: bool, on_start: Any) -> RefreshOutcome:
    from rag_assets.assets import sync_partitions
    from rag_assets.automation.runs import Jobs, refresh
    from rag_assets.cli.instance import open_instance
    from rag_assets.definitions import defs

    jobs = Jobs(
        ingest_source=defs.resolve_job_def("ingest_source"), release_index=defs.resolve_job_def("release_index")
    )
    tags = {"rag_assets/launched_by": "command line"}
    with open_instance(project.settings) as instance:
        changes = sync_partitions(instance, project, confirmed=confirmed)
        if changes.warning:
            complain(f"warning: {changes.warning}")
        return refresh(instance, jobs, names, release=release, tags=tags, on_start=on_start)


def _summary(project: Project, outcome: RefreshOutcome) -> dict[str, Any]:
    serving = project.ledger.serving()
    return {
        "release": serving.release_id if serving else None,
        "sources": {name: _source_summary(run) for name, run in outcome.sources.items()},
        "evaluation": _evaluation_summary(outcome.release.materialized.get("eval_report")) if outcome.release else None,
    }


def _evaluation_summary(made: dict[str, Any] | None) -> dict[str, Any] | None:
    """None where no evaluation ended."""
    from rag_assets.config import MetricName

    if made is None:
        return None
    figures = {name: made[name] for name in get_args(MetricName) if name in made}
    return {
        "evaluation": made["evaluation"],
        "questions": made["questions"],
        "asked_before": made["questions_asked_before"],
        "orphaned": made["questions_orphaned"],
        "metrics": figures,
        "verdict": made["verdict"],
        "report_path": made["report_path"],
    }


def _source_summary(run: RunOutcome) -> dict[str, Any]:
    documents = run.materialized.get("raw_documents", {})
    chunks = run.materialized.get("chunks", {})
    embeddings = run.materialized.get("embeddings", {})
    return {
        "run_id": run.run_id,
        "succeeded": run.succeeded,
        "error": run.error,
        "documents": {
            what: documents.get(f"documents_{what}", 0)
            for what in ("added", "changed", "removed", "unchanged", "failed")
        },
        "chunks": {what: chunks.get(f"chunks_{what}", 0) for what in ("added", "removed", "unchanged")},
        "texts_embedded": embeddings.get("texts_embedded", 0),
        "table_versions_committed": sum(made.get("table_versions_committed", 0) for made in run.materialized.values()),
        "tokens": embeddings.get("tokens", 0),
        "cost_usd": embeddings.get("cost_usd"),
        "seconds": round(run.seconds, 3),
    }


def _print(summary: dict[str, Any], outcome: RefreshOutcome, seconds: float, *, configured: bool) -> None:
    for name, one in summary["sources"].items():
        documents, chunks = one["documents"], one["chunks"]
        if not one["succeeded"] and not outcome.sources[name].materialized:
            typer.echo(f"{name}: failed; what it had stays")
            continue
        typer.echo(
            f"{name}: {documents['added']} added, {documents['changed']} changed, {documents['removed']} removed, "
            f"{documents['unchanged']} unchanged, {documents['failed']} failed; "
            f"{chunks['added']} new chunks, {one['texts_embedded']} embedded"
        )
    if evaluated := summary["evaluation"]:
        _print_evaluation(evaluated, configured=configured)
    released = outcome.release.materialized.get("release") if outcome.release else None
    if released and released["retracted"]:
        typer.echo(
            f"release {summary['release']} still serves: {released['release']}, which this would be, was rolled back; "
            f"to serve it run: rag-assets releases rollback --to {released['release']}"
        )
    elif released:
        word = "new" if released["new"] else "unchanged"
        typer.echo(f"release {released['release']} ({word}) serves after {seconds:.1f} s")
    elif summary["release"]:
        typer.echo(f"release {summary['release']} still serves")


def _print_evaluation(evaluated: dict[str, Any], *, configured: bool) -> None:
    if not configured:
        typer.echo("evaluation: no golden questions are configured, so nothing was measured")
        return
    if not evaluated["questions"] and not evaluated["orphaned"]:
        typer.echo(f"evaluation {evaluated['verdict']}")
        return
    figures = ", ".join(
        f"{name} {evaluated['metrics'][name]:.3f}" for name in SHOWN_METRICS if name in evaluated["metrics"]
    )
    typer.echo(
        f"evaluation: {evaluated['questions']} golden questions, {evaluated['asked_before']} of them asked before"
        f"{'; ' + figures if figures else ''}\n  {evaluated['verdict']}\n  report: {evaluated['report_path']}"
    )


def _exit(outcome: RefreshOutcome, documents_failed: bool) -> None:
    if outcome.runs and not any(run.succeeded for run in outcome.sources.values()):
        raise typer.Exit(1)
    if outcome.release is not None and not outcome.release.succeeded:
        raise typer.Exit(1)
    if documents_failed or not all(run.succeeded for run in outcome.runs):
        raise typer.Exit(PARTLY_DONE)
