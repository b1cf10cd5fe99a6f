"""Hooks on each step of an answer, so that tracing is added without touching the pipeline."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from rag_assets.models.usage import ExpectedCall, Usage, UsageMeter, UsageSink

LOGGER = logging.getLogger("rag_assets.answering")
_METER: ContextVar[UsageMeter | None] = ContextVar("rag_assets_step_meter", default=None)


@dataclass(slots=True)
class Step:
    """One step of one answer: `guard`, `retrieve`, `generate` or `verify`.

    `attributes` are filled while it runs: counts and ids, and, of a step that asked a model, `input_tokens`,
    `output_tokens` and `cost_usd` (None where the price is unknown). Those of an embedding are of `retrieve`.
    """

    name: str
    answer_id: str
    attributes: dict[str, Any] = field(default_factory=dict)
    duration_ms: float = 0.0
    error: str | None = None


class Observer(Protocol):
    """Told of the start and the end of every step; an error of the step is in `step.error` at the end.

    Called in the thread that answers, which waits for it. What an observer raises is logged and goes no further: an
    answer never fails because somebody looks on.
    """

    def started(self, step: Step) -> None: ...

    def finished(self, step: Step) -> None: ...


class StepUsage:
    """A sink that tells the step that is under way in this thread of every call, and passes it on."""

    def __init__(self, forward_to: UsageSink | None) -> None:
        self._sink = forward_to

    def admit(self, call_id: str, expected: Callable[[], ExpectedCall]) -> None:
        """Lets the sink behind decide."""
        if self._sink is not None:
            self._sink.admit(call_id, expected)

    def release(self, call_id: str) -> None:
        """Tells the sink behind."""
        if self._sink is not None:
            self._sink.release(call_id)

    def record(self, usage: Usage) -> None:
        """Adds one call."""
        meter = _METER.get()
        if meter is not None:
            meter.record(usage)
        if self._sink is not None:
            self._sink.record(usage)


@contextmanager
def observed(observers: Sequence[Observer], name: str, answer_id: str) -> Iterator[Step]:
    """Runs the body as the step `name`."""
    step, meter = Step(name, answer_id), UsageMeter()
    _tell(observers, "started", step)
    outer = _METER.set(meter)
    start = time.perf_counter()
    try:
        yield step
    except BaseException as error:
        step.error = f"{type(error).__name__}: {error}"
        raise
    finally:
        step.duration_ms = (time.perf_counter() - start) * 1_000
        _METER.reset(outer)
        if meter.total.calls:
            step.attributes = {**_used(meter), **step.attributes}
        _tell(observers, "finished", step)


def _used(meter: UsageMeter) -> dict[str, Any]:
    total = meter.total
    return {
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
        "cost_usd": None if total.unpriced_calls else total.cost_usd,
    }


def _tell(observers: Sequence[Observer], what: str, step: Step) -> None:
    for observer in observers:
        try:
            getattr(observer, what)(step)
        except Exception:
            LOGGER.warning(
                "The observer %s failed when step %s %s.", type(observer).__name__, step.name, what, exc_info=True
            )
