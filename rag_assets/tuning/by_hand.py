"""What a person does with tuned models: promote one, go back from one, retire one. All of it is on record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from rag_assets.errors import GateError, ModelNotFoundError, TuningError
from rag_assets.evaluation.model import GoldenQuestion
from rag_assets.evaluation.question_table import stored_questions
from rag_assets.evaluation.review import gate_questions, quality_subject, review
from rag_assets.ledger import ComparisonRow, ModelDecision, Release, TunedModel
from rag_assets.releasing import ReleaseContent, promote, roll_back
from rag_assets.releasing.champion import check_presence, recorded_champion
from rag_assets.releasing.pins import is_kept
from rag_assets.tuning.comparison import Contenders, Progress, comparison_id, contenders, require_fitting
from rag_assets.tuning.jobs import open_tuner
from rag_assets.tuning.registry import SEE, Decided, record, registered

if TYPE_CHECKING:
    from rag_assets.models.usage import UsageSink
    from rag_assets.project import Project


def promote_model(
    project: Project,
    model_id: str,
    *,
    force: bool,
    reason: str,
    by: str,
    usage: UsageSink | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Decided:
    """A person makes a model the champion: a new release of the newest snapshot with it.

    Without force it must have won its comparison with the present champion, on that snapshot and by the questions and
    rules of now, and the gates decide. With force, which
    needs a reason, both are overruled, and what they said is on record. Neither makes a model serve that its provider
    does not have or that was tuned from another base. Raises `TuningError`, `ModelNotFoundError` and `GateError`.
    """
    model = registered(project, model_id)
    if force and not reason.strip():
        raise TuningError("Forcing a promotion needs a reason.", fix="Say why, for the record: --reason TEXT")
    champion = recorded_champion(project.ledger, project.settings.models)
    if champion is not None and champion.model_id == model.model_id:
        raise TuningError(f"{model_id} is the champion already.", fix=SEE)
    require_fitting(project, model)
    against = champion.model_id if champion else project.settings.models.chat.model
    row = next((one for one in project.ledger.comparisons(model_id) if one.champion == against and one.decision), None)
    pair, questions = contenders(project, model), stored_questions(project.store.golden_questions())
    content = pair.challenger
    if not force:
        _require_won(project, model, row, pair, questions)
    review(project, content, gate_questions(questions), record_verdict=True, usage=usage, progress=progress)
    try:
        promotion = promote(
            project.store,
            project.ledger,
            content.release_id,
            candidate=content,
            quality=lambda one: quality_subject(one, questions, project.settings.evaluation),
            models=project.settings.models,
            sources=project.source_names,
            force=force,
            reason=reason or "it won its comparison",
            by=by,
        )
    except GateError as error:
        record(project, model, "blocked", row, error.problem, by, against=against)
        raise
    project.ledger.unretire_model(model_id)
    said = reason or (row.details["reason"] if row else "")
    decision = record(
        project, model, "promoted", row, said, by, release=promotion.release, against=against, forced=force
    )
    return Decided(registered(project, model_id), decision, row)


def _require_won(
    project: Project,
    model: TunedModel,
    row: ComparisonRow | None,
    pair: Contenders,
    questions: Sequence[GoldenQuestion],
) -> None:
    name, against = model.model_id, pair.champion.chat.model
    force = f"rag-assets models promote {name} --force --reason TEXT"
    if project.ledger.model_statuses()[name] == "retired":
        raise TuningError(f"{name} is retired.", fix=f"To use it all the same, run: {force}")
    if row is None:
        raise TuningError(
            f"{name} was not compared with {against}, which answers now.",
            fix=f"Materialize model_comparison, or run: {force}",
        )
    if row.comparison_id != comparison_id(project, pair, gate_questions(questions)):
        raise TuningError(
            f"{name} was compared with {against} on another snapshot, or by other questions, prompts or rules.",
            fix=f"Materialize model_comparison with the configuration model: {name}, or run: {force}",
        )
    if row.decision != "challenger":
        raise TuningError(f"{name} did not win its comparison: {row.details['reason']}.", fix=f"Or run: {force}")


def roll_back_model(project: Project, *, reason: str, by: str) -> tuple[TunedModel | None, Release]:
    """Serves the last release with another model than the present one; returns the model that was left, if a tuned one.

    A model that its provider does not have any more is passed over. Raises `TuningError` where no kept release is left,
    and `NoReleaseError` where nothing serves.
    """
    ledger, serving = project.ledger, project.release()
    left = ledger.tuned_model(serving.chat_model)
    now = _answers_with(serving)
    earlier = (ledger.release(release_id) for release_id in reversed(ledger.serving_stack()[:-1]))
    for release in earlier:
        if release is None or _answers_with(release) == now:
            continue
        if not is_kept(project.store, ReleaseContent.of(release, ledger).snapshot):
            continue
        if check_presence(ledger, project.settings.models, release.chat_model) is False:
            continue
        roll_back(project.store, ledger, sources=project.source_names, to=release.release_id, by=by, reason=reason)
        if left is not None:
            ledger.record_decision(
                left.model_id,
                "rolled_back",
                reason=reason,
                decided_by=by,
                against=release.chat_model,
                release_id=release.release_id,
            )
        return left, release
    raise TuningError(
        f"No release with another model than {serving.chat_model} served before and is still kept.",
        fix="See which there are: rag-assets releases list",
    )


def _answers_with(release: Release) -> tuple[str, str]:
    return str(release.details.get("chat", {}).get("provider", "")), release.chat_model


def retire_model(
    project: Project, model_id: str, *, reason: str, by: str, delete: Callable[[TunedModel], None] | None = None
) -> ModelDecision:
    """Says that nothing promotes the model by itself any more; `delete`, called last, takes it from its provider.

    Raises `TuningError` for the champion.
    """
    ledger, model = project.ledger, registered(project, model_id)
    if ledger.model_statuses()[model_id] == "champion":
        raise TuningError(
            f"{model_id} is the champion: what serves is not retired.", fix="Run first: rag-assets models rollback"
        )
    ledger.retire_model(model_id)
    decision = ledger.record_decision(model_id, "retired", reason=reason, decided_by=by)
    if delete is not None:
        with suppress(ModelNotFoundError):  # somebody deleted it before
            delete(model)
        ledger.mark_model_missing(model_id)
    return decision


def delete_at_provider(project: Project) -> Callable[[TunedModel], None]:
    """What takes a model from its provider, for `retire_model`."""

    def delete(model: TunedModel) -> None:
        with open_tuner(project, model.provider) as tuner:
            tuner.delete_model(model.model_id)

    return delete
