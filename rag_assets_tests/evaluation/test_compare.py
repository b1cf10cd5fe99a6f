"""What two evaluations have in common, and how they differ."""

from __future__ import annotations

import json

import pytest

from rag_assets.config import EvaluationSettings
from rag_assets.evaluation.compare import compare
from rag_assets_tests.evaluation.builders import evaluation, item, scored

SETTINGS = EvaluationSettings()


def test_the_difference_is_b_minus_a_on_every_metric() -> None:
    a = evaluation([item(f"q{i}", {"mrr_at_10": 0.5, "recall_at_5": 1.0}) for i in range(40)], name="a")
    b = evaluation([item(f"q{i}", {"mrr_at_10": 1.0, "recall_at_5": 1.0}) for i in range(40)], name="b")
    found = compare(a, b, SETTINGS)
    assert (found.a, found.b, found.common, found.only_a, found.only_b) == ("evaluation-a", "evaluation-b", 40, 0, 0)
    assert found.metrics["mrr_at_10"].difference == pytest.approx(0.5)
    assert found.metrics["mrr_at_10"].differs and not found.metrics["recall_at_5"].differs
    assert compare(b, a, SETTINGS).metrics["mrr_at_10"].difference == pytest.approx(-0.5)


def test_only_questions_of_equal_content_are_compared() -> None:
    a = evaluation([item("q1", {"mrr_at_10": 1.0}), item("q2", {"mrr_at_10": 1.0}), item("q3", {"mrr_at_10": 1.0})])
    b = evaluation(
        [
            item("renamed", {"mrr_at_10": 0.0}, question_hash="hash of q1"),
            item("q2", {"mrr_at_10": 0.0}, question_hash="edited"),
            item("q3", {"mrr_at_10": 0.0}),
        ],
        orphaned={"q3": "its document is gone"},
    )
    found = compare(a, b, SETTINGS)
    assert (found.common, found.only_a, found.only_b) == (1, 2, 1)
    assert found.metrics["mrr_at_10"].n == 1


def test_questions_that_flipped_are_listed_the_largest_change_first() -> None:
    found = compare(scored([1.0, 1.0, 0.0, 0.5, 0.2]), scored([0.5, 0.0, 1.0, 0.6, 0.2]), SETTINGS)
    assert [(one.question_id, one.before, one.after) for one in found.losses] == [
        ("q001", 1.0, 0.0),
        ("q000", 1.0, 0.5),
    ]
    assert [one.question_id for one in found.wins] == ["q002", "q003"]


def test_a_metric_that_a_question_has_on_one_side_only_is_left_out_for_it() -> None:
    a = evaluation([item("q1", {"token_f1": 1.0}), item("q2", {})])
    b = evaluation([item("q1", {"token_f1": 0.0}), item("q2", {"token_f1": 1.0, "judge": 1.0})])
    found = compare(a, b, SETTINGS)
    assert found.metrics["token_f1"].n == 1
    assert "judge" not in found.metrics


def test_nothing_in_common_is_no_error() -> None:
    found = compare(evaluation([item("q1", {"mrr_at_10": 1.0})]), evaluation([]), SETTINGS)
    assert (found.common, dict(found.metrics), found.losses) == (0, {}, ())


def test_it_is_plain_json() -> None:
    found = compare(scored([1.0, 0.0]), scored([0.0, 0.0]), SETTINGS)
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert values["metrics"]["mrr_at_10"]["difference"] == -0.5
    assert values["losses"] == [{"question_id": "q000", "question": "What does q000 ask?", "before": 1.0, "after": 0.0}]
