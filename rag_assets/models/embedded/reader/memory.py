"""Remembers what was computed last, within a budget of bytes: many questions are answered from the same passages."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """The values used last, by their key. Thread safe; what two threads miss at once is computed twice."""

    def __init__(self, budget_bytes: int, size_bytes: Callable[[Value], int]) -> None:
        self._budget_bytes = budget_bytes
        self._size_bytes = size_bytes
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._held_bytes = 0
        self._lock = Lock()

    def get(self, key: str, compute: Callable[[str], Value]) -> Value:
        """The value of `key`, computed from it unless it is remembered. Never change what it returns."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = compute(key)
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self._held_bytes += self._size_bytes(value)
            while self._held_bytes > self._budget_bytes and self._values:
                _, dropped = self._values.popitem(last=False)
                self._held_bytes -= self._size_bytes(dropped)
        return value
