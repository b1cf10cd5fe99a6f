"""Measures release content, compares it with what served, judges it, and writes the report: one review.

The verdict is for exactly this content, these questions and these rules; `release` asks for the same subject.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rag_assets.config import EvaluationSettings
from rag_assets.evaluation.baselines import measure_baselines
from rag_assets.evaluation.changes import changes
from rag_assets.evaluation.evaluate import evaluate
from rag_assets.evaluation.gate import SERVING, Baseline, judge_quality
from rag_assets.evaluation.model import Evaluation, GoldenQuestion
from rag_assets.evaluation.question_table import questions_version
from rag_assets.evaluation.report import ReportPaths, write_index, write_report
from rag_assets.evaluation.restricted import restricted
from rag_assets.evaluation.stored import load_evaluation
from rag_assets.failpoints import failpoint
from rag_assets.fingerprints import fingerprint
from rag_assets.ledger import EvaluationRow
from rag_assets.releasing import QUALITY, GateVerdict, ReleaseContent, subject_of_quality

if TYPE_CHECKING:
    from rag_assets.models.usage import UsageSink
    from rag_assets.project import Project

REPORTS = "reports"
BEST = "best past"
HISTORY_LENGTH = 50


@dataclass(frozen=True, slots=True)
class Review:
    """An evaluation with its judgement. `skipped` are baselines that could not be asked, with the reason."""

    content: ReleaseContent
    evaluation: Evaluation
    baselines: tuple[Baseline, ...]
    skipped: dict[str, str]
    verdict: GateVerdict
    report: ReportPaths


def reports_folder(project: Project) -> Path:
    """Where all reports are."""
    return project.settings.data_path / REPORTS


def quality_subject(content: ReleaseContent, questions: Sequence[GoldenQuestion], settings: EvaluationSettings) -> str:
    """What the quality verdict of `content` is about. Where the files of the questions lie is no part of it."""
    rules = fingerprint(**settings.model_dump(mode="json", exclude={"questions"}))
    return subject_of_quality(content.release_id, questions_version(gate_questions(questions)), rules)


def gate_questions(questions: Sequence[GoldenQuestion]) -> list[GoldenQuestion]:
    """Those that releases are judged by: never tuned on, never trained on."""
    return [question for question in questions if question.split == "gate"]


def review(
    project: Project,
    content: ReleaseContent,
    questions: Sequence[GoldenQuestion],
    *,
    settings: EvaluationSettings | None = None,
    sources: Sequence[str] | None = None,
    record_verdict: bool = False,
    usage: UsageSink | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Review:
    """Asks `content` all of `questions` and judges the result; with `record_verdict` also leaves it in the ledger.

    What was asked before is not asked again. Raises `ModelError` when the models cannot be asked, which says nothing
    about the content.
    """
    settings = settings or project.settings.evaluation
    subject = quality_subject(content, questions, settings)
    if record_verdict and (decided := _decided(project, content, subject)):
        return decided
    serving = project.ledger.serving()  # read before anything is compared with it: what serves later was not
    evaluation = evaluate(project, content, questions, sources=sources, usage=usage, progress=progress)
    baselines, skipped = _baselines(project, content, questions, settings, sources, usage)
    verdict = judge_quality(evaluation, baselines, settings, subject, skipped=skipped)
    report = ReportPaths.of(reports_folder(project) / evaluation.evaluation_id)
    row = project.ledger.evaluation(evaluation.evaluation_id)
    if record_verdict or row is None or not row.details.get("decides") or not report.exist():
        decides = record_verdict or (row is not None and bool(row.details.get("decides")))
        row = _recorded(project, content, evaluation, verdict, decides=decides)
        write_report(
            report.html.parent,
            evaluation,
            content=content,
            verdict=verdict,
            baselines=baselines,
            changes=changes(project.store, project.ledger, _last_reviewed(project, content), content),
            history=_history(project, row),
            questions=questions,
            skipped=skipped,
            hidden=restricted(project),
        )
        project.ledger.set_report(row.evaluation_id, row.evaluation_id)
        write_index(reports_folder(project), project.ledger.evaluations(), project.ledger.comparisons())
        failpoint("evaluation.between_stored_and_verdict")
    if record_verdict:  # last: whoever may release by this verdict can read its report
        said = {
            "reason": verdict.reason,
            "evaluation": evaluation.evaluation_id,
            "serving": serving.release_id if serving else None,
            **verdict.details,
        }
        newest = project.ledger.verdict(QUALITY, subject)
        if newest is None or newest.passed != verdict.passed or newest.details != said:
            project.ledger.record_verdict(QUALITY, subject, verdict.passed, said)
    return Review(content, evaluation, tuple(baselines), skipped, verdict, report)


def _decided(project: Project, content: ReleaseContent, subject: str) -> Review | None:
    """The review by which `content` came to serve, as it was, also where a person overruled it.

    Another one would change nothing but the report of that decision.
    """
    serving = project.ledger.serving()
    verdict = project.ledger.verdict(QUALITY, subject)
    if serving is None or serving.release_id != content.release_id or verdict is None:
        return None
    row = project.ledger.evaluation(verdict.details["evaluation"])
    report = ReportPaths.of(reports_folder(project) / verdict.details["evaluation"])
    if row is None or row.details.get("failed") or not report.exist():
        return None
    said = GateVerdict(QUALITY, subject, verdict.passed, verdict.details["reason"], verdict.details)
    return Review(content, load_evaluation(project.ledger, row), (), {}, said, report)


def _recorded(
    project: Project, content: ReleaseContent, evaluation: Evaluation, verdict: GateVerdict, *, decides: bool
) -> EvaluationRow:
    """Leaves the evaluation in the ledger. `decides`: a release depends on it, so that no trial replaces its report."""
    return project.ledger.record_evaluation(
        evaluation.evaluation_id,
        measured_id=evaluation.measured_id,
        release_id=evaluation.release_id,
        snapshot_id=evaluation.snapshot_id,
        questions_version=evaluation.questions_version,
        questions=len(evaluation.items),
        content=content.values,
        metrics={name: metric.to_dict() for name, metric in evaluation.metrics.items()},
        details={
            "decides": decides,
            "passed": verdict.passed,
            "reason": verdict.reason,
            "orphaned": dict(evaluation.orphaned),
            "question_hashes": [item.question_hash for item in evaluation.items],
            # Kept here, for they are asked again the next time.
            "failed": [item.to_dict() for item in evaluation.items if item.error],
        },
    )


def _baselines(
    project: Project,
    content: ReleaseContent,
    questions: Sequence[GoldenQuestion],
    settings: EvaluationSettings,
    sources: Sequence[str] | None,
    usage: UsageSink | None,
) -> tuple[list[Baseline], dict[str, str]]:
    """What `content` is compared with: the serving release, and the best since a person last forced one.

    None where `content` serves already: nothing would change by releasing it.
    """
    wanted = wanted_baselines(project, content, questions, settings)
    return measure_baselines(project, wanted, questions, sources=sources, usage=usage) if wanted else ([], {})


def wanted_baselines(
    project: Project, content: ReleaseContent, questions: Sequence[GoldenQuestion], settings: EvaluationSettings
) -> dict[str, tuple[str, int]]:
    """Name → the id of a release that `content` is compared with, and how many releases it was chosen from."""
    serving = project.ledger.serving()
    if serving is None or serving.release_id == content.release_id or not questions:
        return {}
    wanted = {SERVING: (serving.release_id, 1)}
    best, chosen_from = _best_past(project, settings.primary_metric, questions_version(questions))
    if best is not None and best not in (serving.release_id, content.release_id):
        wanted[BEST] = (best, chosen_from)
    return wanted


def _best_past(project: Project, metric: str, questions: str) -> tuple[str | None, int]:
    """The release with the best figure of those that served since a release was last forced, and how many those are.

    The figure over the questions of this version where there is one, else over those it was released by.
    """
    served = []
    for change in project.ledger.serving_history():
        served.append(change.release_id)
        if change.forced:
            break
    figures: dict[str, float] = {}
    for release_id in served:
        rows = project.ledger.deciding_evaluations(release_id)
        same = [row for row in rows if row.questions_version == questions]
        value = (same or rows)[0].metrics.get(metric, {}).get("value") if rows else None
        if value is not None:
            figures[release_id] = value
    return (max(figures, key=lambda release_id: figures[release_id]) if figures else None), len(figures)


def _last_reviewed(project: Project, content: ReleaseContent) -> ReleaseContent | None:
    """What serves, or, where that is `content` itself, what served before it."""
    ledger = project.ledger
    serving = ledger.serving()
    if serving is not None and serving.release_id != content.release_id:
        return ReleaseContent.of(serving, ledger)
    for change in ledger.serving_history():
        if change.release_id == content.release_id and change.previous_release_id:
            return ReleaseContent.of(project.release(change.previous_release_id), ledger)
    return None


def _history(project: Project, row: EvaluationRow) -> list[EvaluationRow]:
    """The newest evaluation of each release that served, oldest first, and this one."""
    served = list(dict.fromkeys(change.release_id for change in project.ledger.serving_history()))[:HISTORY_LENGTH]
    rows = [found[0] for release_id in served if (found := project.ledger.deciding_evaluations(release_id))]
    others = [one for one in rows if one.evaluation_id != row.evaluation_id]
    return sorted([*others, row], key=lambda one: one.created_at)
