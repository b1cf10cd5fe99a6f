"""The arithmetic of a provider's limits: when may the next request leave? No clock, no lock and no storage in here.

Each limit is a bucket that refills evenly, with at most a tenth of a minute's allowance at once, so that no minute sees
more than the allowance: the generic cell rate algorithm (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm). A
request is given its turn when it asks, in the order of asking, so nobody starves and nobody asks twice.

A single request of more tokens than the bucket holds waits until the bucket is full and then goes, and those after it
wait for what it took too much. Only then can a minute see more than its tokens, by less than that request.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MINUTE_SECONDS = 60.0
BURST_FRACTION = 10  # a tenth of a minute's allowance may go at once
CLOCK_JUMP_SECONDS = 3_600.0
"""A turn further ahead than this comes from a clock that was set back, not from a queue."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What a provider allows in a minute; None is no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    def __bool__(self) -> bool:
        return self.requests_per_minute is not None or self.tokens_per_minute is not None

    @property
    def burst_tokens(self) -> int | None:
        """The most tokens that one request should have, so that it need not wait for a full bucket."""
        return None if self.tokens_per_minute is None else _burst(self.tokens_per_minute)


@dataclass(frozen=True, slots=True)
class RateState:
    """When each bucket will be full again, and until when the provider asked to be left alone: seconds of one clock."""

    requests_full_at: float = 0.0
    tokens_full_at: float = 0.0
    resume_at: float = 0.0


def take_turn(state: RateState, now: float, tokens: int, limits: RateLimits) -> tuple[RateState, float]:
    """The state after one more request of `tokens` was let in, and how many seconds from `now` it has to wait.

    The provider's own wait is not in it: it may end or begin while the request waits for its turn.
    """
    state = _without_clock_jump(state, now)
    turn = max(
        _turn(state.requests_full_at, now, 1, limits.requests_per_minute),
        _turn(state.tokens_full_at, now, tokens, limits.tokens_per_minute),
    )
    taken = replace(
        state,
        requests_full_at=_after(state.requests_full_at, turn, 1, limits.requests_per_minute),
        tokens_full_at=_after(state.tokens_full_at, turn, tokens, limits.tokens_per_minute),
    )
    return taken, turn - now


def correct_tokens(state: RateState, difference: int, limits: RateLimits) -> RateState:
    """The state once a request turns out to have read `difference` tokens more than it was let in with."""
    if limits.tokens_per_minute is None:
        return state
    return replace(state, tokens_full_at=state.tokens_full_at + difference * _seconds_each(limits.tokens_per_minute))


def hold_back(state: RateState, now: float, seconds: float) -> RateState:
    """The state once the provider asked for `seconds` of peace."""
    return replace(state, resume_at=max(state.resume_at, now + seconds))


def _burst(per_minute: int) -> int:
    return max(1, per_minute // BURST_FRACTION)


def _seconds_each(per_minute: int) -> float:
    # A burst and what refills during the rest of a minute are `per_minute` together.
    return MINUTE_SECONDS / (per_minute - _burst(per_minute) + 1)


def _turn(full_at: float, now: float, cost: int, per_minute: int | None) -> float:
    """The moment from which the bucket holds `cost`, or is full."""
    if per_minute is None:
        return now
    spare = (_burst(per_minute) - min(cost, _burst(per_minute))) * _seconds_each(per_minute)
    return max(now, full_at - spare)


def _after(full_at: float, turn: float, cost: int, per_minute: int | None) -> float:
    return full_at if per_minute is None else max(full_at, turn) + cost * _seconds_each(per_minute)


def _without_clock_jump(state: RateState, now: float) -> RateState:
    limit = now + CLOCK_JUMP_SECONDS
    return RateState(
        *(0.0 if at > limit else at for at in (state.requests_full_at, state.tokens_full_at, state.resume_at))
    )
