"""What a call of a model may use and did use: who admits it, the record, where records go, and their sums."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, Protocol

from rag_assets.errors import LedgerError

Operation = Literal["embedding", "chat", "image", "fine_tuning"]


@dataclass(frozen=True, slots=True)
class Usage:
    """One answered call. `cost_usd` is None when the model's price is unknown, which is not the same as free.

    `requests` counts what went over the wire, retries included. `estimated` says that the provider reported no usage
    and the tokens were counted here. `call_id` is what the call was admitted as, where it was.
    """

    provider: str
    model: str
    operation: Operation
    input_tokens: int
    output_tokens: int
    requests: int
    cost_usd: float | None
    latency_ms: float
    request_id: str | None = None
    estimated: bool = False
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ExpectedCall:
    """The most that a call about to leave is expected to use. `cost_usd` is None when the model's price is unknown."""

    provider: str
    model: str
    operation: Operation
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


class UsageSink(Protocol):
    """Admits calls before they leave and takes the record of each as soon as its answer is there.

    Called from several threads. What was admitted ends by one `record` with its `call_id`, or by `release`.
    """

    def admit(self, call_id: str, expected: Callable[[], ExpectedCall]) -> None:
        """Raises `BudgetError` where the call must not leave. `expected` is asked only where a budget applies."""
        ...

    def record(self, usage: Usage) -> None: ...

    def release(self, call_id: str) -> None:
        """The call was not answered, so nothing was paid."""
        ...


_accounted: ContextVar[bool] = ContextVar("accounted_call", default=False)


@contextmanager
def admitted(sink: UsageSink | None, expected: Callable[[], ExpectedCall]) -> Iterator[str]:
    """Admits the one call that the body makes and records in `sink` with the `call_id` that this yields.

    A body that raises was not answered, unless it had recorded the call. Raises `BudgetError` before the body runs.
    """
    call_id = admit(sink, expected)
    try:
        with accounted():
            yield call_id
    except BaseException:
        release(sink, call_id)
        raise


def admit(sink: UsageSink | None, expected: Callable[[], ExpectedCall]) -> str:
    """Admits a call and returns its id. Raises `BudgetError`."""
    call_id = uuid.uuid4().hex
    if sink is not None:
        sink.admit(call_id, expected)
    return call_id


def release(sink: UsageSink | None, call_id: str) -> None:
    """Says that a call was not answered. Raises nothing: what is set aside for it expires by itself."""
    if sink is not None:
        with suppress(LedgerError):
            sink.release(call_id)


@contextmanager
def accounted() -> Iterator[None]:
    """Says that who makes the requests of the body, in this thread, has them admitted and records them."""
    before = _accounted.set(True)
    try:
        yield
    finally:
        _accounted.reset(before)


def is_accounted() -> bool:
    """Whether somebody answers for the request that is made in this thread: see `accounted`."""
    return _accounted.get()


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """The sum of some calls. `cost_usd` covers the calls with a known price; `unpriced_calls` is how many had none."""

    calls: int = 0
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0
    estimated_calls: int = 0

    def plus(self, usage: Usage) -> UsageTotal:
        """This total and one more call."""
        return UsageTotal(
            calls=self.calls + 1,
            requests=self.requests + usage.requests,
            input_tokens=self.input_tokens + usage.input_tokens,
            output_tokens=self.output_tokens + usage.output_tokens,
            cost_usd=self.cost_usd + (usage.cost_usd or 0.0),
            unpriced_calls=self.unpriced_calls + (usage.cost_usd is None),
            estimated_calls=self.estimated_calls + usage.estimated,
        )


class UsageMeter:
    """A sink that sums by model and passes every record on to other sinks. Thread safe."""

    def __init__(self, forward_to: Iterable[UsageSink] = ()) -> None:
        self._sinks = tuple(forward_to)
        self._lock = threading.Lock()
        self._total = UsageTotal()
        self._by_model: dict[str, UsageTotal] = {}

    def admit(self, call_id: str, expected: Callable[[], ExpectedCall]) -> None:
        """Lets the other sinks decide."""
        for sink in self._sinks:
            sink.admit(call_id, expected)

    def release(self, call_id: str) -> None:
        """Tells the other sinks."""
        for sink in self._sinks:
            sink.release(call_id)

    def record(self, usage: Usage) -> None:
        """Adds one call."""
        with self._lock:
            self._total = self._total.plus(usage)
            self._by_model[usage.model] = self._by_model.get(usage.model, UsageTotal()).plus(usage)
        for sink in self._sinks:
            sink.record(usage)

    @property
    def total(self) -> UsageTotal:
        """The sum of all calls so far."""
        return self._total

    def by_model(self) -> dict[str, UsageTotal]:
        """The sum of the calls so far for each model, by the model's name."""
        with self._lock:
            return dict(self._by_model)
