"""Checks on the evaluation: the verdict that decides the release, and what makes it say less than it could."""

import dagster as dg

from rag_assets.assets import eval_report, golden_questions
from rag_assets.assets.snapshot import candidate_content
from rag_assets.checks.gates import shown
from rag_assets.checks.warnings import WARN, examples
from rag_assets.errors import NoReleaseError
from rag_assets.releasing import QUALITY
from rag_assets.resources.project import ProjectResource


@dg.asset_check(asset=eval_report, blocking=True)
def quality(project: ProjectResource) -> dg.AssetCheckResult:
    """The newest snapshot answers the golden questions well enough, and not worse than what serves."""
    from rag_assets.evaluation.question_table import stored_questions
    from rag_assets.evaluation.review import quality_subject

    with project.open() as opened:
        try:
            content = candidate_content(opened)
        except NoReleaseError as error:
            return dg.AssetCheckResult(passed=False, description=str(error))
        questions = stored_questions(opened.store.golden_questions())
        subject = quality_subject(content, questions, opened.settings.evaluation)
        result = shown(opened.ledger.verdict(QUALITY, subject), subject)
        serving = opened.ledger.serving()
    if serving is None or serving.release_id != content.release_id or result.passed:
        return result
    # What serves already was forced: nothing is left to stop.
    return result._replace(severity=WARN, description=f"Serves all the same: a person forced it. {result.description}")


@dg.asset_check(asset=golden_questions)
def enough_questions(project: ProjectResource) -> dg.AssetCheckResult:
    """There are enough questions in the split gate to notice that answers became worse."""
    from rag_assets.evaluation.question_table import stored_questions
    from rag_assets.evaluation.review import gate_questions

    with project.open() as opened:
        questions = stored_questions(opened.store.golden_questions())
        needed = opened.settings.evaluation.questions_enough
    gate = gate_questions(questions)
    return dg.AssetCheckResult(
        passed=len(gate) >= needed,
        severity=WARN,
        description=f"{len(gate):,} of {len(questions):,} questions judge releases (warns below {needed:,})",
        metadata={
            "questions_gate": len(gate),
            "questions_unanswerable": sum(not question.answerable for question in gate),
        },
    )


@dg.asset_check(asset=eval_report)
def orphaned_questions(project: ProjectResource) -> dg.AssetCheckResult:
    """Questions that lost what answers them: their expected document is not in the newest evaluated snapshot.

    They count in no metric. Mend them in their file, or remove them.
    """
    from rag_assets.evaluation.question_table import stored_questions
    from rag_assets.evaluation.review import quality_subject

    with project.open() as opened:
        questions = stored_questions(opened.store.golden_questions())
        subject = quality_subject(candidate_content(opened), questions, opened.settings.evaluation)
        verdict = opened.ledger.verdict(QUALITY, subject)
        row = opened.ledger.evaluation(verdict.details["evaluation"]) if verdict else None
        orphaned = row.details.get("orphaned", {}) if row else {}
    return dg.AssetCheckResult(
        passed=not orphaned,
        severity=WARN,
        description=f"{len(orphaned):,} questions expect a document that is not there",
        metadata={
            "questions_orphaned": len(orphaned),
            "examples": examples([f"{name}: {why}" for name, why in orphaned.items()]),
        },
    )


QUALITY_CHECKS = [quality, enough_questions, orphaned_questions]
