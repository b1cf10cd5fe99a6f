"""The champion and a challenger answer the same frozen questions on the same snapshot, now.

A comparison is named by what is compared and how. Its first try fixes in the ledger when it began: results from before
count for nothing, and one that was killed goes on where it was, so that nothing is paid for twice. A comparison that is
finished is never made again; with another snapshot, other questions or rules it is another comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rag_assets.errors import ModelNotFoundError, TuningError
from rag_assets.evaluation.evaluate import EVALUATOR, evaluate, judge_prompt, measured_id
from rag_assets.evaluation.model import Evaluation, GoldenQuestion
from rag_assets.evaluation.question_table import questions_version, stored_questions
from rag_assets.evaluation.restricted import restricted
from rag_assets.evaluation.review import gate_questions
from rag_assets.evaluation.rules import ended_in_error
from rag_assets.evaluation.scoring import kept
from rag_assets.failpoints import failpoint
from rag_assets.fingerprints import fingerprint
from rag_assets.ledger import ComparisonRow, TunedModel
from rag_assets.releasing import SNAPSHOT_GATES, ReleaseContent, candidate, require
from rag_assets.releasing.champion import chat_of, check_presence, fits
from rag_assets.tuning.comparison_details import details_of

if TYPE_CHECKING:
    from rag_assets.models.usage import UsageSink
    from rag_assets.project import Project

COMPARER = "comparison@1"
"""Part of every comparison's name: another number compares anew."""
ID_LENGTH = 32
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Contenders:
    """What a release would be made of with either model: only the chat model is different."""

    champion: ReleaseContent
    challenger: ReleaseContent


def contenders(project: Project, model: TunedModel) -> Contenders:
    """The champion, or the base model where there is none, and `model`, on the newest snapshot.

    Raises `TuningError` for a model that could not take the champion's place, `ModelNotFoundError` for one that its
    provider does not have, and `GateError` where the snapshot did not pass its gates.
    """
    require_fitting(project, model)
    snapshot = candidate(project.ledger)
    require(project.ledger, SNAPSHOT_GATES, snapshot.snapshot_id)
    champion = project.content(snapshot)
    return Contenders(champion, replace(champion, chat=chat_of(model, project.settings.models)))


def require_fitting(project: Project, model: TunedModel) -> None:
    """Raises `TuningError` or `ModelNotFoundError` when `model` could not answer in the place of the champion."""
    models = project.settings.models
    if not fits(model, models):
        raise TuningError(
            f"{model.model_id} was tuned from {model.base_model} at {model.provider!r}, and models.chat is "
            f"{models.chat.model} at {models.chat.provider!r}: it cannot take its place.",
            fix="Tune the model that models.chat names: see tuning.base_model and tuning.provider.",
        )
    if check_presence(project.ledger, models, model.model_id) is False:
        raise ModelNotFoundError(
            f"The provider {model.provider!r} does not have {model.model_id} any more.",
            fix="Tune another: rag-assets tune",
        )


def compare_models(
    project: Project,
    pair: Contenders,
    *,
    usage: UsageSink | None = None,
    progress: Progress = lambda what, done, total: None,
) -> ComparisonRow:
    """Compares the two, and returns the finished comparison; nothing else is recorded.

    Raises `ModelError` where a model was out of order for any question: that says nothing about either, and what was
    answered is kept for the next try.
    """
    questions = gate_questions(stored_questions(project.store.golden_questions()))
    row = project.ledger.start_comparison(
        comparison_id(project, pair, questions),
        champion=pair.champion.chat.model,
        challenger=pair.challenger.chat.model,
        snapshot_id=pair.champion.snapshot.snapshot_id,
        questions_version=questions_version(questions),
    )
    if row.finished_at is not None:
        return row
    failpoint("comparison.between_started_and_asked")
    champion, challenger = (
        evaluate(
            project, content, questions, usage=usage, since=row.started_at, progress=_of(content.chat.model, progress)
        )
        for content in (pair.champion, pair.challenger)
    )
    for content, evaluation in ((pair.champion, champion), (pair.challenger, challenger)):
        _keep_for_gates(project, content, evaluation)
    failpoint("comparison.between_asked_and_finished")
    outcome, details = details_of(champion, challenger, questions, project.settings, hidden=restricted(project))
    return project.ledger.finish_comparison(row.comparison_id, outcome, details)


def _keep_for_gates(project: Project, content: ReleaseContent, evaluation: Evaluation) -> None:
    """Lets the gates have what was just answered by the same content; what they know already stays."""
    name = measured_id(project, content)
    project.ledger.record_items([kept(name, item) for item in evaluation.items if not ended_in_error(item)])


def _of(model: str, progress: Progress) -> Progress:
    def told(what: str, done: int, total: int) -> None:
        progress(f"{what} to {model}", done, total)

    return told


def comparison_id(project: Project, pair: Contenders, questions: Sequence[GoldenQuestion]) -> str:
    """What a comparison of `pair` by these questions, and by the rules of now, is called."""
    judge = project.settings.evaluation.judge
    return fingerprint(
        comparer=COMPARER,
        evaluator=EVALUATOR,
        champion=pair.champion.content_hash,
        challenger=pair.challenger.content_hash,
        questions=questions_version(questions),
        rules=project.settings.tuning.comparison.model_dump(mode="json"),
        judge={"model": judge.model_dump(mode="json"), "prompt": judge_prompt(project)} if judge else None,
    )[:ID_LENGTH]
