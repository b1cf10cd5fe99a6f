"""`rag-assets eval`: what a release, or a variation of it, answers to golden questions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rag_assets.cli.output import JsonOption, print_json, progress_line, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rag_assets.config import EvaluationSettings
    from rag_assets.evaluation.compare import Comparison
    from rag_assets.evaluation.model import GoldenQuestion
    from rag_assets.evaluation.review import Review
    from rag_assets.project import Project
    from rag_assets.releasing import ReleaseContent

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)  # its help is that of `evaluate`
GATE_FAILED = 4
"""The exit code of an evaluation that was made, and that a gate did not pass."""
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


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked for. `release` is what was evaluated or varied; `released`: what was measured is a release.

    `not_applied`: metric → the minimum that the given questions cannot measure.
    """

    release: str
    candidate: bool
    variation: tuple[str, ...]
    released: bool
    not_applied: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        kind = "candidate" if self.candidate else "release"
        return f"{kind} {self.release}" + (f" with {', '.join(self.variation)}" if self.variation else "")


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

    Exit codes: 0 every gate passed; 4 evaluated, and a gate did not pass; 1 it could not be evaluated. Of --questions,
    only the configured minima count that they can measure.

    --json prints release (what was evaluated or varied), variation, candidate, content (the id of what was measured),
    released, snapshot, evaluation, questions (given), measured (counted), orphaned, errors, metrics (name: value, ci95,
    n), gates (name: passed, value, limit, text, …), not_applied, warnings, passed, reason and report_path.

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
        base = _content(project, release, candidate)
        content = vary(base, changes or (), project.settings)
        given = _questions(project, questions, split or ("all" if questions else "gate"), names)
        settings = project.settings.evaluation
        if questions:
            settings = _applicable(settings, given)
        with progress_line() as status:
            result = review(
                project,
                content,
                given,
                settings=settings,
                sources=names,
                usage=project.ledger.usage_sink(asset="eval", limits=project.settings.spend),
                progress=lambda what, done, total: status.info("%s of %s %s", done, total, what),
            )
        asked = _Asked(
            release=base.release_id,
            candidate=candidate,
            variation=tuple(changes or ()),
            released=project.ledger.release(content.release_id) is not None,
            not_applied=_without(project.settings.evaluation.minima, settings.minima),
        )
    if as_json:
        print_json(_as_json(result, asked))
    else:
        _print(result, asked)
    if not result.verdict.passed:
        raise typer.Exit(GATE_FAILED)


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


def _applicable(settings: EvaluationSettings, questions: Sequence[GoldenQuestion]) -> EvaluationSettings:
    """`settings` with the minima that `questions` can measure: a file of its own need not have every kind of them."""
    from rag_assets.evaluation.measurable import measurable

    known = measurable(questions, judged=settings.judge is not None)
    minima = {metric: least for metric, least in settings.minima.items() if metric in known}
    return settings.model_copy(update={"minima": minima})


def _without(minima: Mapping[Any, float], applied: Mapping[Any, float]) -> dict[str, float]:
    return {metric: least for metric, least in minima.items() if metric not in applied}


def _gates(rules: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each rule under a name of its own: `orphaned`, `minimum mrr_at_10`, `regression serving`."""
    gates: dict[str, dict[str, Any]] = {}
    for rule in rules:
        what = rule.get("name") or rule.get("metric") or ""
        gates[f"{rule['rule']} {what}".strip()] = {"value": None, "limit": None, **rule}
    return gates


def _as_json(result: Review, asked: _Asked) -> dict[str, Any]:
    evaluation, details = result.evaluation, result.verdict.details
    return {
        "release": asked.release,
        "variation": list(asked.variation),
        "candidate": asked.candidate,
        "content": evaluation.release_id,
        "released": asked.released,
        "evaluation": evaluation.evaluation_id,
        "snapshot": evaluation.snapshot_id,
        "questions": len(evaluation.items) + len(evaluation.orphaned),
        "measured": len(evaluation.items),
        "orphaned": dict(evaluation.orphaned),
        "errors": {item.question_id: item.error for item in evaluation.items if item.error},
        "metrics": {name: metric.to_dict() for name, metric in evaluation.metrics.items()},
        "gates": _gates(details["rules"]),
        "not_applied": dict(asked.not_applied),
        "warnings": list(details["warnings"]),
        "passed": result.verdict.passed,
        "reason": result.verdict.reason,
        "report_path": str(result.report.html),
    }


def _print(result: Review, asked: _Asked) -> None:
    evaluation = result.evaluation
    say(f"{asked}: {len(evaluation.items)} questions, {evaluation.reused_items} of them asked before")
    for name in SHOWN:
        metric = evaluation.metrics.get(name)
        if metric is not None and metric.value is not None:
            interval = f"  ({metric.ci95[0]:.3f} to {metric.ci95[1]:.3f})" if metric.ci95 else ""
            say(f"  {name:22} {metric.value:8.3f}{interval}  n = {metric.n}")
    for baseline in result.baselines:
        say(f"  compared with {baseline.release_id} ({baseline.name})")
    for name, why in result.skipped.items():
        say(f"  not compared with {name}: {why}")
    for unmeasured, least in asked.not_applied.items():
        say(f"  minimum {least:g} of {unmeasured} not applied: none of the given questions measures it")
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
