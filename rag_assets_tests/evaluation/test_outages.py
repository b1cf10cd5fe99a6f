from __future__ import annotations

import pytest

from rag_assets.errors import (
    AuthenticationError,
    InvalidRequestError,
    ModelError,
    ProviderUnavailableError,
    QueryError,
    QuotaError,
    WeightsError,
)
from rag_assets.evaluation.outages import OutageWatch

DOWN = ProviderUnavailableError("It is down.", fix="Wait.")


@pytest.mark.parametrize("kind", [AuthenticationError, QuotaError, WeightsError])
def test_what_fails_one_fails_all(kind: type[ModelError]) -> None:
    watch = OutageWatch(100, 100)
    for _ in range(50):
        watch.note(None)
    with pytest.raises(kind, match="1 of 51 questions failed"):
        watch.note(kind("No."))


def test_five_outages_at_the_start_are_enough() -> None:
    watch = OutageWatch(100, 100)
    for _ in range(4):
        watch.note(DOWN)
    with pytest.raises(ProviderUnavailableError, match="given up: 5 of 5 questions failed"):
        watch.note(DOWN)


def test_five_outages_after_each_other_are_enough_at_any_time() -> None:
    watch = OutageWatch(1_000, 1_000)
    for _ in range(100):
        watch.note(None)
        watch.note(DOWN)
    for _ in range(3):
        watch.note(DOWN)
    with pytest.raises(ProviderUnavailableError, match="given up: 104 of 204 questions failed"):
        watch.note(DOWN)


@pytest.mark.parametrize(
    ("asked", "failures", "gives_up"),
    [(1, 1, True), (4, 2, False), (10, 2, False), (10, 3, True), (60, 3, False), (60, 4, True), (100, 6, True)],
)
def test_a_few_questions_may_meet_an_outage(asked: int, failures: int, gives_up: bool) -> None:
    watch = OutageWatch(200, asked)
    for number in range(asked):
        watch.note(DOWN if number % 2 == 0 and number < 2 * failures else None)
    if gives_up:
        with pytest.raises(ProviderUnavailableError) as caught:
            watch.finish()
        assert caught.value.fix == "Wait. Then evaluate again; what was answered is kept."
    else:
        watch.finish()


@pytest.mark.parametrize(("failures", "gives_up"), [(1, False), (2, True)])
def test_of_a_baseline_a_tenth_may_be_missing(failures: int, gives_up: bool) -> None:
    watch, spared = OutageWatch(19, 19, baseline=True), OutageWatch(19, 19)
    for number in range(19):
        for one in (watch, spared):
            one.note(DOWN if number < failures else None)
    spared.finish()
    if gives_up:
        with pytest.raises(ProviderUnavailableError):
            watch.finish()
    else:
        watch.finish()


@pytest.mark.parametrize(("failures", "gives_up"), [(10, False), (11, True)])
def test_refused_requests_count_by_all_questions(failures: int, gives_up: bool) -> None:
    watch = OutageWatch(20, 12)
    for number in range(12):
        watch.note(InvalidRequestError("Too long.") if number < failures else None)
    if gives_up:
        with pytest.raises(InvalidRequestError):
            watch.finish()
    else:
        watch.finish()


def test_a_question_that_cannot_be_asked_is_no_outage() -> None:
    watch = OutageWatch(6, 6)
    for _ in range(6):
        watch.note(QueryError("Too long."))
    watch.finish()
