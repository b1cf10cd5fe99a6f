"""What a call of a model used: the record, where records go, and their sums."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

Operation = Literal["embedding", "chat", "image", "fine_tuning"]


@dataclass(frozen=True, slots=True)
class Usage:
    """One answered call. `cost_usd` is None when the model's price is unknown, which is not the same as free.

    `requests` counts what went over the wire, retries included. `estimated` says that the provider reported no usage
    and the tokens were counted here.
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


class UsageSink(Protocol):
    """Takes the record of every call as soon as its answer is there. Called from several threads."""

    def record(self, usage: Usage) -> None: ...


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
