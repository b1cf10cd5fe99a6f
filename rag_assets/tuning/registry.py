"""What becomes of a tuned model by itself: it is compared and then promoted, rejected or blocked, all of it on record.

A promotion is an ordinary release of the newest snapshot with the model: what the gates refuse does not serve. Killed
at any point nothing is half-done: the comparison is in the ledger before anything follows from it, the release serves
or does not, and the next try records the decision that is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag_assets.errors import GateError, TuningError
from rag_assets.evaluation.question_table import stored_questions
from rag_assets.evaluation.review import gate_questions, quality_subject, review
from rag_assets.failpoints import failpoint
from rag_assets.ledger import ComparisonRow, DecisionName, ModelDecision, Release, TunedModel
from rag_assets.releasing import QUALITY, ReleaseContent, make_release
from rag_assets.releasing.champion import champion_of, chat_of
from rag_assets.tuning.comparison import Progress, compare_models, contenders, require_fitting
from rag_assets.tuning.comparison_report import write_comparison_report
from rag_assets.tuning.unseen import require_unseen

if TYPE_CHECKING:
    from rag_assets.models.usage import UsageSink
    from rag_assets.project import Project

SEE = "See which there are: rag-assets models list"


@dataclass(frozen=True, slots=True)
class Decided:
    """A model with the newest decision about it. `comparison` is None where a person decided without one."""

    model: TunedModel
    decision: ModelDecision
    comparison: ComparisonRow | None


def registered(project: Project, model_id: str) -> TunedModel:
    """The registered model with this id. Raises `TuningError`."""
    model = project.ledger.tuned_model(model_id)
    if model is None:
        raise TuningError(f"No model {model_id!r} came out of a tuning job.", fix=SEE)
    return model


def next_challenger(project: Project) -> TunedModel | None:
    """The model to compare: the oldest about which nothing was decided, else the newest that could still serve.

    None where every registered model serves or is retired. Raises `TuningError` where none is registered.
    """
    ledger = project.ledger
    models, statuses = ledger.tuned_models(), ledger.model_statuses()
    if not models:
        raise TuningError("No model was tuned yet.", fix="Run: rag-assets tune")
    able = [model for model in models if statuses[model.model_id] in ("challenger", "rejected")]
    known = {decision.model_id for decision in ledger.decisions()}
    undecided = [model for model in able if model.model_id not in known]
    return undecided[-1] if undecided else next(iter(able), None)


def decide_model(
    project: Project,
    model: TunedModel,
    *,
    by: str,
    usage: UsageSink | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Decided:
    """Compares `model` with the champion and, where it wins, releases it by the ordinary gates; records the decision.

    Raises `TuningError` for a model that is retired, fits no more or was trained on the questions, `ModelError` where a
    model was out of order, and `GateError` where the snapshot did not pass its gates. A gate that refuses the release
    of a winner is a decision, and not raised.
    """
    require_fitting(project, model)
    status = project.ledger.model_statuses()[model.model_id]
    if status == "champion":
        return _completed(project, model, by)
    if status == "retired":
        raise TuningError(
            f"{model.model_id} is retired: nothing compares or promotes it by itself.",
            fix=f"To use it all the same, run: rag-assets models promote {model.model_id} --force --reason TEXT",
        )
    require_unseen(project, model)
    pair = contenders(project, model)
    row = compare_models(project, pair, usage=usage, progress=progress)
    failpoint("comparison.between_decided_and_released")
    if row.decision == "challenger":
        decided = _released(project, model, pair.challenger, row, by=by, usage=usage, progress=progress)
    else:
        name: DecisionName = "undecided" if row.decision == "undecided" else "rejected"
        decided = Decided(model, record(project, model, name, row, row.details["reason"], by), row)
    write_comparison_report(project, row, model, decided.decision)
    return decided


def _completed(project: Project, model: TunedModel, by: str) -> Decided:
    """What serves already: the decision by which it does, which a kill may have kept from being recorded."""
    newest = next(iter(project.ledger.decisions(model.model_id)), None)
    if newest is not None and newest.decision == "promoted":
        known = project.ledger.comparison(newest.comparison_id) if newest.comparison_id else None
        return Decided(model, newest, known)
    won = next((one for one in project.ledger.comparisons(model.model_id) if one.decision == "challenger"), None)
    reason = won.details["reason"] if won else "a release with it was made to serve by hand"
    decision = record(project, model, "promoted", won, reason, by, release=project.release())
    if won is not None:
        write_comparison_report(project, won, model, decision)
    return Decided(model, decision, won)


def _released(
    project: Project,
    model: TunedModel,
    content: ReleaseContent,
    row: ComparisonRow,
    *,
    by: str,
    usage: UsageSink | None,
    progress: Progress,
) -> Decided:
    """Releases a winner, or records which gate refused it."""
    questions = stored_questions(project.store.golden_questions())
    judged = review(
        project, content, gate_questions(questions), record_verdict=True, usage=usage, progress=progress
    ).verdict
    if not judged.passed:
        return Decided(model, record(project, model, "blocked", row, f"{judged.gate}: {judged.reason}", by), row)
    subject = quality_subject(content, questions, project.settings.evaluation)
    try:
        _require_same_champion(project, row, subject)
        result = make_release(
            project.store,
            project.ledger,
            content,
            quality=subject,
            generation=project.generation,
            sources=project.source_names,
            served_by=by,
        )
    except GateError as error:
        return Decided(model, record(project, model, "blocked", row, error.problem, by), row)
    failpoint("comparison.between_released_and_recorded")
    if result.retracted:
        said = f"a person went back from release {result.release.release_id}, which has it"
        return Decided(model, record(project, model, "blocked", row, said, by), row)
    decision = record(project, model, "promoted", row, row.details["reason"], by, release=result.release)
    return Decided(model, decision, row)


def _require_same_champion(project: Project, row: ComparisonRow, subject: str) -> None:
    """Raises `GateError` when the winner was held against another model than the one that its release follows.

    `make_release` lets it follow only the release that serves by its quality verdict.
    """
    ledger, models = project.ledger, project.settings.models
    verdict = ledger.verdict(QUALITY, subject)
    follows = verdict.details.get("serving") if verdict is not None else None
    release = ledger.release(follows) if follows else None
    answers = chat_of(champion_of(ledger, models, release), models).model
    if answers != row.champion:
        raise GateError(
            f"it was compared with {row.champion}, and {answers} answers by now",
            fix="Materialize model_comparison again.",
        )


def record(
    project: Project,
    model: TunedModel,
    decision: DecisionName,
    row: ComparisonRow | None,
    reason: str,
    by: str,
    *,
    release: Release | None = None,
    against: str = "",
    forced: bool = False,
) -> ModelDecision:
    """Puts a decision on record; see `TunedModels.record_decision`."""
    return project.ledger.record_decision(
        model.model_id,
        decision,
        reason=reason,
        decided_by=by,
        against=against or (row.champion if row else ""),
        forced=forced,
        comparison_id=row.comparison_id if row else None,
        release_id=release.release_id if release else None,
    )
