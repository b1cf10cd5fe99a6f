from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.models.rate import RateLimits, RateState, correct_tokens, hold_back, take_turn

COSTS = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 400)), min_size=1, max_size=120)


def turns(limits: RateLimits, asked: list[tuple[float, int]], start: float = 1_000.0) -> list[tuple[float, int]]:
    """When each of the requests leaves that ask so many seconds after one another, with their tokens."""
    state, now, left = RateState(), start, []
    for pause, tokens in asked:
        now += pause
        state, wait = take_turn(state, now, tokens, limits)
        assert wait >= 0
        left.append((now + wait, tokens))
    return left


def most_in_a_minute(left: list[tuple[float, int]], weight: Callable[[int], int]) -> int:
    # A minute that begins with some request; its end belongs to the next one (a rounding error wide).
    return max(sum(weight(tokens) for at, tokens in left if first <= at < first + 60 - 1e-6) for first, _ in left)


@settings(max_examples=40, deadline=None)
@given(per_minute=st.integers(1, 200), asked=COSTS)
def test_no_minute_sees_more_requests_than_allowed(per_minute, asked):
    left = turns(RateLimits(requests_per_minute=per_minute), asked)
    assert most_in_a_minute(left, lambda _: 1) <= per_minute
    assert left == sorted(left, key=lambda turn: turn[0])


@settings(max_examples=40, deadline=None)
@given(per_minute=st.integers(4_000, 50_000), asked=COSTS)
def test_no_minute_sees_more_tokens_than_allowed(per_minute, asked):
    left = turns(RateLimits(tokens_per_minute=per_minute), asked)
    assert most_in_a_minute(left, lambda tokens: tokens) <= per_minute


@pytest.mark.parametrize("per_minute", [1, 3, 60, 500, 3_000])
def test_most_of_the_allowance_is_used(per_minute):
    left = turns(RateLimits(requests_per_minute=per_minute), [(0.0, 1)] * (3 * per_minute))
    assert sum(at < 1_000 + 60 - 1e-6 for at, _ in left) == per_minute
    assert left[-1][0] - 1_000 <= 3 * 60 / 0.9


def test_a_tenth_may_go_at_once_and_a_small_job_need_not_wait():
    left = turns(RateLimits(requests_per_minute=500, tokens_per_minute=100_000), [(0.0, 150)] * 50)
    assert {at for at, _ in left} == {1_000.0}


def test_without_limits_nothing_waits():
    assert not RateLimits()
    assert {at for at, _ in turns(RateLimits(), [(0.0, 10**9)] * 3)} == {1_000.0}


def test_a_request_larger_than_a_minute_goes_when_the_bucket_is_full_and_is_paid_for_afterwards():
    limits = RateLimits(tokens_per_minute=600)
    assert limits.burst_tokens == 60
    (small, _), (large, _), (next_one, _) = turns(limits, [(0.0, 10), (0.0, 1_000), (0.0, 10)])
    assert small == 1_000
    assert 1_000 < large < 1_002  # what `small` took is back
    assert next_one - large > 60


def test_what_a_request_really_read_counts():
    limits = RateLimits(tokens_per_minute=6_000)
    state, _ = take_turn(RateState(), 0.0, 600, limits)
    _, as_announced = take_turn(state, 0.0, 600, limits)
    _, corrected = take_turn(correct_tokens(state, -300, limits), 0.0, 600, limits)
    assert corrected == pytest.approx(as_announced / 2)
    assert correct_tokens(state, 5, RateLimits()) == state


def test_a_longer_hold_is_not_shortened():
    state = hold_back(RateState(), 100.0, 30)
    assert hold_back(state, 101.0, 2).resume_at == 130
    assert hold_back(state, 120.0, 30).resume_at == 150


def test_a_clock_that_was_set_back_holds_nobody_up():
    limits = RateLimits(requests_per_minute=1)
    state, _ = take_turn(RateState(resume_at=90_000.0), 90_000.0, 1, limits)
    state, wait = take_turn(state, 1_000.0, 1, limits)
    assert (wait, state.resume_at) == (0, 0)
