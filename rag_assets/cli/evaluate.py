"""`rag-assets eval`: what a release, or a variation of it, answers to golden questions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rag_assets.cli.output import JsonOption, print_json, progress_line, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag_assets.evaluation.compare import Comparison
    from rag_assets.evaluation.model import GoldenQuestion
    from rag_assets.evaluation.review import Review
    from rag_assets.project import Project
    from rag_assets.releasing import ReleaseContent

app = typer.Typer(
    help="Ask golden questions and measure the answers.", invoke_without_command=True, rich_markup_mode=None
)
LISTED_QUESTIONS = 5
SHOWN = (
    "mrr_at_10",
    "recall_at_5",
    "ndcg_at_10",
    "answer_contains",
    "token_f1",
    "refusal_precision",
    "refusal_recall",
    "citation_correctness",
    "judge",
    "latency_p50_ms",
)


@app.callback()
def evaluate(
    context: typer.Context,
    questions: Annotated[
        list[Path] | None, typer.Option("--questions", "-q", help="JSON lines, CSV or SQuAD; may be repeated.")
    ] = None,
    sources: Annotated[
        list[str] | None,
        typer.Option("--sources", "--source", "-s", help="Only these: names, with commas or repeated."),
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Try a setting without releasing it: retrieval.mode=vector")
    ] = None,
    release: Annotated[str | None, typer.Option(help="A release id; by default the serving one.")] = None,
    candidate: Annotated[
        bool, typer.Option("--candidate", help="The newest snapshot with the settings of now.")
    ] = False,
    split: Annotated[
        Literal["gate", "validation", "train", "all"] | None,
        typer.Option(help="Which questions; by default gate of the configured ones, all of --questions."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask golden questions and measure the answers. Releases nothing; what was asked before is not asked again.

    Example: rag-assets eval --set retrieval.mode=vector --json
    """
    if context.invoked_subcommand is not None:
        return
    from rag_assets.errors import ConfigurationError
    from rag_assets.evaluation.review import review
    from rag_assets.evaluation.variation import vary
    from rag_assets.project import Project

    if release and candidate:
        raise ConfigurationError("--release and --candidate were both given.", fix="Give one of them.")
    with Project.open() as project:
        names = _names(project, sources)
        content = vary(_content(project, release, candidate), changes or (), project.settings)
        asked = _questions(project, questions, split or ("all" if questions else "gate"), names)
        with progress_line() as status:
            result = review(
                project,
                content,
                asked,
                sources=names,
                usage=project.ledger.usage_sink(asset="eval"),
                progress=lambda what, done, total: status.info("%s of %s %s", done, total, what),
            )
        made = project.ledger.release(content.release_id) is not None
    if as_json:
        print_json(_as_json(result, made))
    else:
        _print(result)
    if not result.verdict.passed:
        raise typer.Exit(1)


@app.command("compare")
def compare_two(
    a: Annotated[str, typer.Argument(help="A release or evaluation id, or its beginning.")],
    b: Annotated[str, typer.Argument(help="The one to compare it with.")],
    as_json: JsonOption = False,
) -> None:
    """Show how much better or worse B is than A on the questions that both were asked.

    Example: rag-assets eval compare 1f0c2a9b4d7e 8c1d5e2f6a7b
    """
    from rag_assets.evaluation.compare import compare
    from rag_assets.evaluation.stored import find_evaluation
    from rag_assets.project import Project

    with Project.open() as project:
        found = compare(
            find_evaluation(project.ledger, a), find_evaluation(project.ledger, b), project.settings.evaluation
        )
    if as_json:
        print_json(found.to_dict())
    else:
        _print_comparison(found)


@app.command("list")
def list_evaluations(
    limit: Annotated[int, typer.Option(min=1, help="The newest ones.")] = 20, as_json: JsonOption = False
) -> None:
    """List evaluations, newest first.

    Example: rag-assets eval list --limit 5
    """
    from rag_assets.project import Project

    with Project.open() as project:
        rows = project.ledger.evaluations(limit=limit)
        primary = project.settings.evaluation.primary_metric
    if as_json:
        print_json(
            [
                {
                    "evaluation": row.evaluation_id,
                    "release": row.release_id,
                    "snapshot": row.snapshot_id,
                    "questions": row.questions,
                    "metrics": row.metrics,
                    "passed": row.details.get("passed"),
                    "created_at": row.created_at.isoformat(timespec="seconds"),
                }
                for row in rows
            ]
        )
        return
    for row in rows:
        value = row.metrics.get(primary, {}).get("value")
        figure = "no figure" if value is None else f"{primary} {value:.3f}"
        mark = "passed" if row.details.get("passed") else "failed"
        say(
            f"{row.evaluation_id}  {row.created_at:%Y-%m-%d %H:%M}  release {row.release_id}  "
            f"{row.questions} questions  {figure}  {mark}"
        )
    if not rows:
        say("Nothing was evaluated yet. Run: rag-assets eval")


def _names(project: Project, given: Sequence[str] | None) -> tuple[str, ...] | None:
    names = tuple(dict.fromkeys(name.strip() for text in given or () for name in text.split(",") if name.strip()))
    for name in names:
        project.settings.source(name)
    return names or None


def _content(project: Project, release: str | None, candidate: bool) -> ReleaseContent:
    from rag_assets.releasing import ReleaseContent, require_kept
    from rag_assets.releasing import candidate as newest

    if candidate:
        return project.content(newest(project.ledger))
    found = project.release(release)
    require_kept(project.store, project.ledger, found)
    return ReleaseContent.of(found, project.ledger)


def _questions(
    project: Project, files: Sequence[Path] | None, split: str, sources: Sequence[str] | None
) -> list[GoldenQuestion]:
    """Those of `files`, else the configured ones. With `sources`, the answerable ones that expect a document there."""
    from rag_assets.errors import ConfigurationError
    from rag_assets.evaluation.configured import configured_questions, read_questions

    found = read_questions(project, files) if files else configured_questions(project)
    if not found:
        raise ConfigurationError(
            "There are no golden questions.",
            fix="Give a file with --questions, or name files under evaluation.questions in rag_assets.yaml.",
        )
    wanted = [
        question
        for question in found
        if split in ("all", question.split)
        and (not sources or any(one.source in ("", *sources) for one in question.expected))
    ]
    if not wanted:
        raise ConfigurationError(
            f"Of {len(found):,} golden questions none is in the split {split!r} of these sources.",
            fix="Add --split all, or leave --sources out.",
        )
    return wanted


def _as_json(result: Review, made: bool) -> dict[str, Any]:
    evaluation = result.evaluation
    return {
        "release": evaluation.release_id if made else None,
        "evaluation": evaluation.evaluation_id,
        "snapshot": evaluation.snapshot_id,
        "questions": len(evaluation.items),
        "orphaned": dict(evaluation.orphaned),
        "errors": {item.question_id: item.error for item in evaluation.items if item.error},
        "metrics": {name: metric.to_dict() for name, metric in evaluation.metrics.items()},
        "gates": result.verdict.details,
        "passed": result.verdict.passed,
        "reason": result.verdict.reason,
        "report_path": str(result.report.html),
    }


def _print(result: Review) -> None:
    evaluation = result.evaluation
    say(f"{len(evaluation.items)} questions, {evaluation.reused_items} of them asked before")
    for name in SHOWN:
        metric = evaluation.metrics.get(name)
        if metric is not None and metric.value is not None:
            interval = f"  ({metric.ci95[0]:.3f} to {metric.ci95[1]:.3f})" if metric.ci95 else ""
            say(f"  {name:22} {metric.value:8.3f}{interval}  n = {metric.n}")
    for baseline in result.baselines:
        say(f"  compared with {baseline.release_id} ({baseline.name})")
    for name, why in result.skipped.items():
        say(f"  not compared with {name}: {why}")
    for question_id, why in list(evaluation.orphaned.items())[:10]:
        say(f"  not counted: {question_id}: {why}")
    say(f"{'passed' if result.verdict.passed else 'FAILED'}: {result.verdict.reason}")
    say(f"report: {result.report.html}")


def _print_comparison(found: Comparison) -> None:
    say(f"{found.b} against {found.a}, on the {found.common} questions of both")
    for name, one in found.metrics.items():
        mark = "differs" if one.differs else ""
        say(
            f"  {name:22} {one.difference:+.3f}  ({one.ci95[0]:+.3f} to {one.ci95[1]:+.3f})  n = {one.n}"
            f"  p = {one.p_differs:.3f}  {mark}".rstrip()
        )
    for title, changes in (("lost", found.losses), ("won", found.wins)):
        for change in changes[:LISTED_QUESTIONS]:
            say(f"  {title}: {change.question_id}: {change.before:.2f} → {change.after:.2f}  {change.question}")
    if not found.common:
        say("They have no question in common.")
