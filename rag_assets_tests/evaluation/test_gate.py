"""The quality gate: what breaks it, what does not, and what it says."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from rag_assets.config import EvaluationSettings
from rag_assets.evaluation.gate import Baseline, judge_quality
from rag_assets.evaluation.model import Evaluation
from rag_assets.releasing import GateVerdict
from rag_assets_tests.evaluation.builders import evaluation, item, passage, scored

ANSWERS = {"primary_metric": "answer_contains"}


def judge(candidate: Evaluation, *baselines: Baseline, **settings: object) -> GateVerdict:
    return judge_quality(candidate, baselines, EvaluationSettings.model_validate(settings), "release/x@y/z")


def serving(values: list[float], name: str = "serving", chosen_from: int = 1) -> Baseline:
    measured = scored(values, name=name)
    return Baseline(name, measured.release_id, measured, chosen_from)


def serving_of(measured: Evaluation) -> Baseline:
    return Baseline("serving", measured.release_id, measured)


def rule(verdict: GateVerdict, name: str) -> dict[str, object]:
    return next(one for one in verdict.details["rules"] if one["rule"] == name)


def test_without_questions_it_passes_and_says_that_nothing_was_measured() -> None:
    verdict = judge(evaluation([]), minima={"mrr_at_10": 0.9})
    assert verdict.passed and "nothing was measured" in verdict.reason
    assert verdict.details["warnings"] == [verdict.reason]
    assert verdict.reason.endswith("whether the minima (mrr_at_10 0.900) are reached is unknown")
    assert judge(evaluation([])).reason == "no golden question is in the split gate: nothing was measured"


def test_a_minimum_is_held_by_the_measured_value() -> None:
    assert judge(scored([1.0] * 9 + [0.0]), minima={"mrr_at_10": 0.9}).passed
    verdict = judge(scored([1.0] * 8 + [0.0, 0.5]), minima={"mrr_at_10": 0.9})
    assert not verdict.passed
    assert verdict.reason == "mrr_at_10 is 0.850, below its minimum 0.900"
    assert verdict.details["questions"] == ["q008", "q009"]


def test_a_minimum_that_nothing_measures_fails() -> None:
    verdict = judge(scored([1.0] * 60), minima={"judge": 0.5})
    assert not verdict.passed and "no question measures it" in verdict.reason


def test_a_source_that_was_emptied_fails_although_every_metric_is_perfect() -> None:
    orphaned = {f"q{i:03}": "docs/guide.md is not in the snapshot" for i in range(30)}
    verdict = judge(scored([1.0] * 100, orphaned=orphaned))
    assert not verdict.passed
    assert verdict.reason == "30 of 100 questions lost their expected documents; at most 20% may"
    assert verdict.details["questions"] == [f"q{i:03}" for i in range(10)]
    assert judge(scored([1.0] * 100, orphaned=dict(list(orphaned.items())[:20]))).passed


def test_orphans_count_whether_they_are_among_the_items_or_not() -> None:
    assert not judge(evaluation([], orphaned={"q1": "gone"})).passed
    assert rule(judge(scored([1.0] * 9, orphaned={"other": "gone"})), "orphaned")["value"] == pytest.approx(0.1)


def test_a_significant_loss_fails_and_names_the_questions_that_lost_most() -> None:
    before = [1.0] * 110
    after = [0.0] * 6 + [0.5] * 6 + [1.0] * 98
    verdict = judge(scored(after), serving(before))
    assert not verdict.passed
    assert "significantly lower than in serving serving01234" in verdict.reason
    found = rule(verdict, "regression")
    assert found["questions"][0] == {  # type: ignore[index]
        "question_id": "q000",
        "question": "What does q000 ask?",
        "score": 0.0,
        "before": 1.0,
    }
    assert verdict.details["questions"] == [f"q{i:03}" for i in range(10)]
    assert verdict.details["against"] == ["serving01234"]


def test_a_loss_that_chance_explains_passes_and_says_what_would_be_noticed() -> None:
    verdict = judge(scored([0.0] * 3 + [1.0] * 107), serving([1.0] * 109 + [0.0]))
    assert verdict.passed
    assert "would be noticed four times out of five" in verdict.reason
    assert 0.0 < verdict.details["detectable_effect"] < 0.2


def test_a_loss_within_what_is_allowed_passes() -> None:
    before, after = [1.0] * 110, [0.95] * 110
    assert not judge(scored(after), serving(before)).passed
    assert judge(scored(after), serving(before), max_regression=0.06).passed


def test_the_same_release_twice_is_one_baseline() -> None:
    same = scored([1.0] * 110, name="serving")
    verdict = judge(
        scored([0.0] * 5 + [1.0] * 105),
        Baseline("serving", same.release_id, same),
        Baseline("best past", same.release_id, same),
    )
    assert [one["name"] for one in verdict.details["rules"] if one["rule"] == "regression"] == ["serving"]
    assert not verdict.passed  # five lost questions are p = .031: at .05, not at .025


def test_several_baselines_share_the_rate_and_one_chosen_among_many_has_less() -> None:
    verdict = judge(scored([1.0] * 60), serving([1.0] * 60), serving([1.0] * 60, "best past", chosen_from=5))
    rates = [one["false_alarm_rate"] for one in verdict.details["rules"] if one["rule"] == "regression"]
    assert rates == [pytest.approx(0.025), pytest.approx(0.005)]


def test_few_questions_are_a_warning_and_no_failure() -> None:
    verdict = judge(scored([1.0] * 12), serving([1.0] * 12))
    assert verdict.passed
    assert any("is compared by 12 questions only" in one for one in verdict.details["warnings"])
    assert not judge(scored([1.0] * 60), serving([1.0] * 60)).details["warnings"]


def test_a_baseline_without_a_common_question_is_a_warning() -> None:
    other = evaluation([item("elsewhere", {"mrr_at_10": 1.0})], name="serving")
    verdict = judge(scored([1.0] * 60), Baseline("serving", other.release_id, other))
    assert verdict.passed
    assert any("no question measures mrr_at_10 both here and in serving" in one for one in verdict.details["warnings"])


def test_errors_are_listed() -> None:
    broken = item("q1", {"mrr_at_10": 0.0}, error="The model did not answer.")
    unjudged = item("q2", {"mrr_at_10": 1.0, "judge": 0.0}, judged="the judge could not be asked: It is down.")
    verdict = judge(evaluation([broken, unjudged, item("q3", {"mrr_at_10": 1.0})]), minima={"mrr_at_10": 0.9})
    assert [one["error"] for one in verdict.details["errors"]] == ["The model did not answer.", unjudged.judged]
    said = "2 of 3 questions ended in an error"
    assert verdict.reason == f"{said}; mrr_at_10 is 0.667, below its minimum 0.900"
    assert any(one.startswith(said) for one in verdict.details["warnings"])


def test_what_a_baseline_could_not_be_asked_hides_no_loss() -> None:
    before = [item(f"q{n:03}", {"answer_contains": 1.0}) for n in range(54)]
    broken = [item(f"q{n:03}", {"answer_contains": 0.0}, error="It is down.") for n in range(54, 60)]
    measured = evaluation([*before, *broken], name="serving")
    after = scored([0.0] * 6 + [1.0] * 54, metric="answer_contains")
    verdict = judge(after, serving_of(measured), **ANSWERS)
    assert not verdict.passed
    found = rule(verdict, "regression")
    assert (found["n"], found["left_out"], found["value"]) == (54, 6, pytest.approx(-6 / 54))
    assert any("serving01234, where an error kept them" in one for one in verdict.details["warnings"])
    # The other way round it counts: a candidate that does not answer is worse.
    assert not judge(measured, serving_of(scored([1.0] * 60, metric="answer_contains")), **ANSWERS).passed


def test_what_was_found_before_an_error_counts_as_found() -> None:
    ranked = [
        item(f"q{n:03}", {"mrr_at_10": 1.0}, error="It is down.", retrieved=(passage("docs/guide.md"),))
        for n in range(6)
    ]
    before = evaluation([*ranked, *(item(f"q{n:03}", {"mrr_at_10": 1.0}) for n in range(6, 60))], name="serving")
    verdict = judge(scored([0.0] * 6 + [1.0] * 54), serving_of(before))
    assert (rule(verdict, "regression")["n"], verdict.passed) == (60, False)


def test_a_baseline_that_is_gone_is_named_where_nobody_overlooks_it() -> None:
    why = {"serving": "abc: Its provider is not declared any more.", "best past": "def: Its rows were pruned."}
    verdict = judge_quality(scored([1.0] * 60), [], EvaluationSettings(), "subject", skipped=why)
    assert verdict.passed
    assert verdict.reason.startswith("not compared with serving abc: Its provider is not declared any more; mrr_at_10")
    assert verdict.details["warnings"] == [f"not compared with {name} {text}" for name, text in why.items()]


def test_details_are_plain_json_and_equal_input_gives_equal_details() -> None:
    def once() -> GateVerdict:
        return judge(
            scored([0.0] * 9 + [1.0] * 51, orphaned={"q000": "gone"}),
            serving([1.0] * 60),
            serving([0.9] * 60, "best past"),
            minima={"mrr_at_10": 0.99, "judge": 0.2},
        )

    verdict = once()
    assert json.loads(json.dumps(verdict.details, allow_nan=False)) == verdict.details == once().details


def test_every_rule_that_broke_is_in_the_reason() -> None:
    verdict = judge(
        scored([0.0] * 20 + [1.0] * 40, orphaned={f"q{i:03}": "gone" for i in range(40, 60)}),
        serving([1.0] * 60),
        minima={"mrr_at_10": 0.9},
    )
    assert [one["passed"] for one in verdict.details["rules"]] == [False, False, False]
    assert len(verdict.reason.split("; ")) >= 3


def test_against_the_best_of_many_equals_it_fires_at_most_at_its_rate() -> None:
    rng = np.random.default_rng(12)
    rounds, past, n = 300, 8, 60
    fired = {True: 0, False: 0}
    for _ in range(rounds):
        # Candidate and past releases are equally good: each finds each question with the question's own chance.
        chance = rng.beta(8, 2, size=n)
        runs = (rng.random((past + 1, n)) < chance).astype(float)
        best = max(runs[1:], key=lambda one: float(one.mean())).tolist()
        for corrected in fired:
            baselines = [serving(runs[1].tolist()), serving(best, "best past", past if corrected else 1)]
            verdict = judge(scored(runs[0].tolist()), *baselines, bootstrap_samples=200)
            fired[corrected] += not verdict.passed
    allowed = stats.binom.ppf(0.999, rounds, 0.05)
    assert fired[True] <= allowed
    assert fired[False] > fired[True]
