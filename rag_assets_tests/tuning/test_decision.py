"""Which model is to answer, by scores alone."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from rag_assets.config import ComparisonSettings, Settings
from rag_assets.evaluation.model import Evaluation
from rag_assets.evaluation.report.worst import NOT_SHOWN
from rag_assets.tuning.comparison_details import details_of
from rag_assets.tuning.decision import Gain, decide, mcnemar, paired_gain
from rag_assets_tests.evaluation.builders import evaluation, item, passage

RULES = ComparisonSettings()


def gain(only_challenger: int, only_champion: int, same: int) -> Gain:
    """Scores of 0 and 1 that differ in so many questions."""
    challenger = [1.0] * only_challenger + [0.0] * only_champion + [1.0] * same
    champion = [0.0] * only_challenger + [1.0] * only_champion + [1.0] * same
    return paired_gain(challenger, champion, samples=2_000, confidence=0.95)


@pytest.mark.parametrize(
    ("only_challenger", "only_champion", "same", "expected", "says"),
    [
        (10, 0, 90, "challenger", "better by more than"),
        (0, 10, 90, "champion", "the challenger is not better, so"),
        (0, 0, 100, "champion", "the challenger is not better, so"),
        (4, 0, 96, "champion", "no difference is shown"),  # 1 in 16 by chance
        (5, 0, 995, "champion", "better by less than the margin of 0.010"),  # sure, and too small
        (40, 36, 24, "champion", "no difference is shown"),
        (49, 0, 0, "undecided", "measured by 49 questions, and fewer than 50 decide nothing"),
        (50, 0, 0, "challenger", "over 50 questions"),
    ],
)
def test_the_challenger_needs_certainty_a_margin_and_questions(
    only_challenger: int, only_champion: int, same: int, expected: str, says: str
):
    outcome, reason = decide(gain(only_challenger, only_champion, same), RULES)
    assert (outcome, says in reason) == (expected, True), reason
    assert ("the champion stays" in reason) == (outcome != "challenger")


@pytest.mark.parametrize(
    ("metric", "why"), [("citation_correctness", "which it chooses itself"), ("mrr_at_10", "the same for both models")]
)
def test_a_metric_of_other_questions_or_of_the_search_cannot_decide(metric: str, why: str):
    with pytest.raises(ValueError, match=why):
        ComparisonSettings.model_validate({"primary_metric": metric})


def test_without_any_question_nothing_is_decided():
    assert decide(None, RULES, left_out=7) == (
        "undecided",
        "answer_contains is measured by 0 questions, and fewer than 50 decide nothing; 7 more lost their expected "
        "documents: the champion stays",
    )


def test_the_figures_are_those_of_the_textbook_and_the_same_every_time():
    found = gain(9, 2, 89)
    assert found.difference == pytest.approx(0.07)
    assert found.p_better == pytest.approx(float(Fraction(sum(comb(11, k) for k in range(3)), 2**11)))
    assert found.lower_bound > found.ci95[0]
    # The normal approximation of the one-sided bound.
    expected = 0.07 - 1.645 * np.sqrt((11 / 100 - 0.07**2) / 100)
    assert found.lower_bound == pytest.approx(expected, abs=0.01)
    assert gain(9, 2, 89) == found
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_gain([1.0], [1.0, 0.0], samples=1_000, confidence=0.95)


def test_mcnemar_is_exact_and_for_yes_and_no_alone():
    pairs = [(1.0, 0.0)] * 2 + [(0.0, 1.0)] * 9 + [(1.0, 1.0)] * 5 + [(0.0, 0.0)] * 3
    assert mcnemar(pairs) == {
        "n": 19, "both": 5, "only_champion": 2, "only_challenger": 9, "neither": 3,
        "p": float(Fraction(2 * (1 + 11 + 55), 2**11)),
    }  # fmt: skip
    assert mcnemar([(1.0, 1.0)]) is not None and mcnemar([(1.0, 1.0)])["p"] == 1.0  # type: ignore[index]
    assert mcnemar([(0.5, 1.0)]) is None
    assert mcnemar([]) is None


def test_a_winner_that_refuses_less_is_told_of():
    def answers(contains: float, refusing: float) -> Evaluation:
        right = [item(f"a{n}", {"answer_contains": contains}) for n in range(60)]
        return evaluation([*right, *(item(f"u{n}", {"refusal_recall": refusing}) for n in range(20))])

    outcome, details = details_of(answers(0.0, 1.0), answers(1.0, 0.0), [], Settings())
    assert outcome == "challenger"
    assert details["lower"] == ["refusal_recall 0.000 after 1.000 over 20 questions"]
    assert details["reason"].endswith("Lower with it, which decides nothing: " + details["lower"][0])
    _, same = details_of(answers(0.0, 1.0), answers(1.0, 1.0), [], Settings())
    assert same["lower"] == []


def test_errors_count_as_failures_and_restricted_text_is_shown_nowhere():
    champion = evaluation(
        [item("a", {"answer_contains": 1.0}), item("b", {"answer_contains": 1.0}, retrieved=(passage("secret.md"),))]
    )
    challenger = evaluation(
        [
            item("a", {"answer_contains": 0.0}, error="The answer was cut off.", answer="", sources=("docs", "wiki")),
            item("b", {"answer_contains": 0.0}, answer="Wrong.", citations=({"source": "docs", "uri": "open.md"},)),
        ],
        orphaned={},
    )
    settings = Settings()
    outcome, details = details_of(
        champion, challenger, [], settings, hidden=lambda source, uri: (source, uri) == ("docs", "secret.md")
    )
    assert outcome == "undecided"
    assert (details["primary"]["champion"], details["primary"]["challenger"]) == (1.0, 0.0)
    assert (details["challenger"]["errors"], details["champion"]["errors"]) == (1, 0)
    assert details["challenger"]["failed"][0]["error"] == "The answer was cut off."
    assert [one["question_id"] for one in details["largest_losses"]] == ["a", "b"]
    assert details["largest_losses"][0]["challenger"]["error"] == "The answer was cut off."
    assert details["largest_losses"][1]["champion"]["answer"] == NOT_SHOWN
    assert details["largest_losses"][1]["challenger"]["answer"] == "Wrong."
    assert {name: one["n"] for name, one in details["by_source"].items()} == {"docs": 2, "wiki": 1}
    assert details["pairs"] == [["a", 1.0, 0.0], ["b", 1.0, 0.0]]
