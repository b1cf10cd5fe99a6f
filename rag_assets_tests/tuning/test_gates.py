"""The gates of a training file as a whole: what is judged, recorded, and asked for before a job."""

from __future__ import annotations

import pytest

from rag_assets.errors import GateError
from rag_assets.evaluation.question_table import sync_questions
from rag_assets.evaluation.questions import make_question
from rag_assets.tuning.gates import (
    BUDGET,
    COUNTS,
    FORMAT,
    TRAINING_GATES,
    Coverage,
    judge_training_file,
    require_training_file,
)
from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.tuning.files import QUESTIONS, clean_examples, example, write_clean, write_file


def test_a_clean_file_passes_every_gate_and_may_be_paid_for(small_project: SmallProject) -> None:
    with small_project.open() as project:
        file = write_clean(project)
        verdicts = judge_training_file(project, file)
        assert [verdict.gate for verdict in verdicts] == list(TRAINING_GATES)
        assert {verdict.gate: verdict.reason for verdict in verdicts if not verdict.passed} == {}
        cost = require_training_file(project, file)
    assert (cost.train_examples, cost.validation_examples, cost.cost_usd) == (16, 4, 0.0)


def test_nothing_is_paid_for_without_a_verdict(small_project: SmallProject) -> None:
    with small_project.open() as project:
        file = write_clean(project)
        with pytest.raises(GateError, match=r"no verdict of the gate 'training_format'.*Materialize training_file"):
            require_training_file(project, file)


def test_a_file_that_was_changed_after_its_verdict_has_none(small_project: SmallProject) -> None:
    with small_project.open() as project:
        file = write_clean(project)
        judge_training_file(project, file)
        with file.path("train").open("a", encoding="utf-8") as lines:
            lines.write("{}\n")
        with pytest.raises(GateError, match="no verdict"):
            require_training_file(project, file)


def test_new_golden_questions_and_other_settings_want_new_verdicts(small_project: SmallProject) -> None:
    with small_project.open() as project:
        file = write_clean(project)
        sync_questions(project.store.golden_questions(), [make_question("one", "Is the cellar dry?", answerable=False)])
        judge_training_file(project, file)
        require_training_file(project, file)
        # QUESTIONS[0] is in the training file, and its words put it into the split gate.
        leaked = make_question("two", QUESTIONS[0], answerable=False)
        assert leaked.split == "gate"
        sync_questions(project.store.golden_questions(), [leaked])
        with pytest.raises(GateError, match="no verdict of the gate 'training_leakage'"):
            require_training_file(project, file)
        judge_training_file(project, file)
        with pytest.raises(GateError, match=r"training_leakage.*train\.jsonl:1 is two"):
            require_training_file(project, file)
        sync_questions(project.store.golden_questions(), [])
        judge_training_file(project, file)
    small_project.configure("tuning: {near_duplicate: 0.9}")
    with small_project.open() as project, pytest.raises(GateError, match="no verdict of the gate 'training_leakage'"):
        require_training_file(project, file)
    small_project.configure("tuning: {min_train_examples: 17}")
    with small_project.open() as project, pytest.raises(GateError, match="no verdict of the gate 'training_counts'"):
        require_training_file(project, file)


def test_too_few_examples_and_one_sided_ones(small_project: SmallProject) -> None:
    small_project.configure("tuning: {min_train_examples: 30, min_validation_examples: 5}")
    train, validation = clean_examples()
    refusal = "The documents do not answer this question."
    one_sided = [example(one["messages"][1]["content"], refusal) for one in train]
    with small_project.open() as project:
        verdicts = judge_training_file(project, write_file(project, one_sided, validation))
    verdict = next(verdict for verdict in verdicts if verdict.gate == COUNTS)
    assert verdict.reason == "16 training examples of at least 30; 4 validation examples of at least 5"
    assert [warning.split(" a")[0] for warning in verdict.details["warnings"]] == [
        "4 validation examples tell little",
        "16 of 16",
    ]


def test_a_failed_gate_is_recorded_and_named(small_project: SmallProject) -> None:
    train, validation = clean_examples()
    with small_project.open() as project:
        file = write_file(project, [*train, "{broken"], validation)
        verdicts = {verdict.gate: verdict for verdict in judge_training_file(project, file)}
        recorded = project.ledger.verdict(FORMAT, verdicts[FORMAT].subject)
        assert recorded is not None and not recorded.passed
        with pytest.raises(GateError, match=r"'training_format' failed.*not_json.*train\.jsonl:17") as caught:
            require_training_file(project, file)
        assert "\n" not in str(caught.value)


def test_a_budget_is_judged_with_what_was_spent_until_now(small_project: SmallProject) -> None:
    paid = """
        models: {chat: {provider: openai, model: gpt-4o-mini}}
        spend: {month_usd: 1.0}
    """
    small_project.configure(paid)
    with small_project.open() as project:
        file = write_clean(project)
        assert all(verdict.passed for verdict in judge_training_file(project, file))
        foreseen = require_training_file(project, file).cost_usd
        assert foreseen is not None and 0 < foreseen < 1
        _spend(project, 1.0 - foreseen / 2)
        with pytest.raises(GateError, match=r"'training_budget' failed.*more than the month's budget has left"):
            require_training_file(project, file)
        newest = project.ledger.verdicts(BUDGET, limit=1)[0]
        assert not newest.passed and newest.details["months"]["spend.month_usd"]["spent"] > 0.9
        assert require_training_file(project, file, coverage=Coverage("ftjob-1")).cost_usd == foreseen


def _spend(project, amount: float) -> None:
    from rag_assets.models.usage import Usage

    usage = Usage("openai", "gpt-4o-mini", "chat", 1, 1, 1, amount, 1.0)
    project.ledger.record_usage([usage], asset="eval_report")
