"""Judges a training file by every gate before anything is paid, and asks for those verdicts before a job is made.

Each verdict is about exactly one file with exactly the bytes it has, and about what the gate held it to: other golden
questions, another base model or another budget want a new verdict. Budgets change while nothing here does, so that gate
is asked anew whenever its verdict is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rag_assets.errors import GateError
from rag_assets.evaluation.model import GoldenQuestion
from rag_assets.evaluation.question_table import questions_version, stored_questions
from rag_assets.models import catalog
from rag_assets.project import Project
from rag_assets.releasing import GateVerdict, recorded
from rag_assets.tuning.gates import budget, counts, file_format, leakage, privacy, token_limits
from rag_assets.tuning.gates.coverage import Coverage, coverage_of
from rag_assets.tuning.gates.reading import Contents, content_digest, read_contents
from rag_assets.tuning.gates.token_limits import TokenCounts
from rag_assets.tuning.gates.verdicts import (
    BUDGET,
    COUNTS,
    FIXES,
    FORMAT,
    LEAKAGE,
    PRIVACY,
    TOKENS,
    TRAINING_GATES,
    subject_of_file,
)
from rag_assets.tuning.training_cost import TrainingCost, training_cost
from rag_assets.tuning.training_file import TrainingFile
from rag_assets.tuning.tuned_base import tuned_base


@dataclass(frozen=True)
class Judgement:
    """One reading of a training file and everything that its gates share."""

    project: Project
    file: TrainingFile
    coverage: Coverage

    @cached_property
    def contents(self) -> Contents:
        return read_contents(self.file)

    @cached_property
    def tokens(self) -> TokenCounts:
        return token_limits.count_tokens(self.contents, tuned_base(self.project.settings))

    @cached_property
    def cost(self) -> TrainingCost:
        """What a job on this file would cost."""
        train, validation = self.tokens.of("train"), self.tokens.of("validation")
        return training_cost(self.project.settings, train=train, validation=validation)

    def verdict(self, gate: str) -> GateVerdict:
        """What `gate` says now; nothing is recorded."""
        return _JUDGES[gate](self, self.subject(gate))

    def subject(self, gate: str) -> str:
        """What a verdict of `gate` is about."""
        return training_subject(self.project, self.file, gate, digest=self.contents.digest)


def judge_training_file(project: Project, file: TrainingFile) -> list[GateVerdict]:
    """Judges `file` by every gate and leaves each verdict in the ledger, those that say no as well."""
    judgement = Judgement(project, file, coverage_of(project, file))
    return [recorded(judgement.verdict(gate), project.ledger) for gate in TRAINING_GATES]


def require_training_file(project: Project, file: TrainingFile, *, coverage: Coverage | None = None) -> TrainingCost:
    """What a job on `file` will cost. Raises `GateError` unless every gate passed for exactly this file.

    The budget is judged anew, with what was spent and set aside until now. By `coverage`, which is that of the attempt
    on record where none is given, the money of this very job does not count twice. Call it in the body of what pays.
    """
    digest = content_digest(file)
    for gate in TRAINING_GATES:
        if gate == BUDGET:
            continue
        subject = training_subject(project, file, gate, digest=digest)
        verdict = project.ledger.verdict(gate, subject)
        if verdict is None:
            raise GateError(
                f"There is no verdict of the gate {gate!r} for the training file {file.file_id} as it is, with the "
                "present settings and golden questions.",
                fix="Materialize training_file again; it judges its own output.",
            )
        if not verdict.passed:
            raise _refused(gate, file, str(verdict.details.get("reason", "")))
    judgement = Judgement(project, file, coverage or coverage_of(project, file))
    now = recorded(judgement.verdict(BUDGET), project.ledger)
    if not now.passed:
        raise _refused(BUDGET, file, now.reason)
    return judgement.cost


def _refused(gate: str, file: TrainingFile, reason: str) -> GateError:
    return GateError(f"The gate {gate!r} failed for the training file {file.file_id}: {reason}.", fix=FIXES[gate])


def training_subject(project: Project, file: TrainingFile, gate: str, *, digest: str | None = None) -> str:
    """What a verdict of `gate` about `file` has to be about now."""
    return subject_of_file(file.file_id, digest or content_digest(file), **_HELD_TO[gate](project))


def held_out_questions(project: Project) -> list[GoldenQuestion]:
    """The golden questions that no model may be trained on: those that judge, and those that settings are chosen by."""
    questions = stored_questions(project.store.golden_questions())
    return [question for question in questions if question.split != "train"]


def _format(project: Project) -> Mapping[str, Any]:
    return {"rules": file_format.RULES}


def _leakage(project: Project) -> Mapping[str, Any]:
    threshold = project.settings.tuning.near_duplicate
    return {"rules": leakage.RULES, "questions": questions_version(held_out_questions(project)), "threshold": threshold}


def _privacy(project: Project) -> Mapping[str, Any]:
    return {"rules": privacy.RULES, "allowed": project.settings.tuning.allow_personal_data}


def _counts(project: Project) -> Mapping[str, Any]:
    tuning = project.settings.tuning
    least = (tuning.min_train_examples, tuning.min_validation_examples)
    return {"rules": counts.RULES, "least": least, "refusal": project.prompts.refusal}


def _tokens(project: Project) -> Mapping[str, Any]:
    base = tuned_base(project.settings)
    limit = token_limits.max_example_tokens(project.settings.tuning, base)
    return {"rules": token_limits.RULES, "model": base.model, "kind": base.kind, "limit": limit}


def _budget(project: Project) -> Mapping[str, Any]:
    settings = project.settings
    base = tuned_base(settings)
    prices = {name: price.model_dump() for name, price in settings.models.prices.items()}
    tuning = (settings.tuning.epochs, settings.tuning.budget_usd)
    spend = settings.spend.model_dump(mode="json")
    return {
        "rules": budget.RULES,
        "base": (base.provider, base.model),
        "prices": prices,
        "table": catalog.PRICES_AS_OF,
        "job": tuning,
        "spend": spend,
    }


_HELD_TO: dict[str, Callable[[Project], Mapping[str, Any]]] = {
    FORMAT: _format,
    LEAKAGE: _leakage,
    PRIVACY: _privacy,
    COUNTS: _counts,
    TOKENS: _tokens,
    BUDGET: _budget,
}


def _judged_leakage(one: Judgement, subject: str) -> GateVerdict:
    threshold = one.project.settings.tuning.near_duplicate
    return leakage.judge_leakage(one.contents, held_out_questions(one.project), threshold, subject)


def _judged_privacy(one: Judgement, subject: str) -> GateVerdict:
    allowed = one.project.settings.tuning.allow_personal_data
    return privacy.judge_privacy(one.contents, allow_personal_data=allowed, subject=subject)


def _judged_counts(one: Judgement, subject: str) -> GateVerdict:
    answers = [_answer(example) for line, example in one.contents.examples if line.split == "train"]
    return counts.judge_counts(one.contents, answers, one.project.prompts.refusal, one.project.settings.tuning, subject)


def _answer(example: Mapping[str, Any]) -> str:
    return str(example["messages"][-1].get("content"))


def _judged_tokens(one: Judgement, subject: str) -> GateVerdict:
    settings = one.project.settings
    return token_limits.judge_tokens(one.contents, one.tokens, tuned_base(settings), settings.tuning, subject)


def _judged_budget(one: Judgement, subject: str) -> GateVerdict:
    settings = one.project.settings
    return budget.judge_budget(
        one.cost,
        job_usd=settings.tuning.budget_usd,
        months=budget.budgets_of(settings, one.project.ledger),
        coverage=one.coverage,
        unreadable=one.contents.unreadable,
        subject=subject,
    )


_JUDGES: dict[str, Callable[[Judgement, str], GateVerdict]] = {
    FORMAT: lambda one, subject: file_format.judge_format(one.contents, subject),
    LEAKAGE: _judged_leakage,
    PRIVACY: _judged_privacy,
    COUNTS: _judged_counts,
    TOKENS: _judged_tokens,
    BUDGET: _judged_budget,
}
