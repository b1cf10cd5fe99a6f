"""Hooks on each step of an answer, so that tracing is added without touching the pipeline."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(slots=True)
class Step:
    """One step of one answer. `attributes` are filled while it runs: tokens, cost, counts, ids."""

    name: str
    answer_id: str
    attributes: dict[str, Any] = field(default_factory=dict)
    duration_ms: float = 0.0
    error: str | None = None


class Observer(Protocol):
    """Told of the start and the end of every step; an error of the step is in `step.error` at the end."""

    def started(self, step: Step) -> None: ...

    def finished(self, step: Step) -> None: ...


@contextmanager
def observed(observers: Sequence[Observer], name: str, answer_id: str) -> Iterator[Step]:
    """Runs the body as the step `name`."""
    step = Step(name, answer_id)
    for observer in observers:
        observer.started(step)
    start = time.perf_counter()
    try:
        yield step
    except BaseException as error:
        step.error = f"{type(error).__name__}: {error}"
        raise
    finally:
        step.duration_ms = (time.perf_counter() - start) * 1_000
        for observer in observers:
            observer.finished(step)
