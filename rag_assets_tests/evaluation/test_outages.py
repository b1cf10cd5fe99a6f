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


@pytest.mark.parametrize(("failures", "gives_up"), [(5, False), (6, True)])
def test_more_than_half_of_what_is_asked_is_an_outage(failures: int, gives_up: bool) -> None:
    watch = OutageWatch(90, 10)
    for number in range(10):
        watch.note(DOWN if number >= 10 - failures else None)
    if gives_up:
        with pytest.raises(ProviderUnavailableError) as caught:
            watch.finish()
        assert caught.value.fix == "Wait. Then evaluate again; what was answered is kept."
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
