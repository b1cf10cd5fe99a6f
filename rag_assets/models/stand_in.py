"""A chat model, and another one that takes its place from the moment on that the provider does not have the first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rag_assets.errors import ModelNotFoundError
from rag_assets.models.chat import ChatModel, ChatResult, Message


class ChatWithStandIn:
    """Asks `first` until the provider says that it is gone, then what `make_second` gives. Thread safe.

    `told` is called once, at that moment. `model` is the name of what answers now. `close` closes both.
    """

    def __init__(self, first: ChatModel, make_second: Callable[[], ChatModel], told: Callable[[], None]) -> None:
        self._first = first
        self._make_second = make_second
        self._told = told
        self._second: ChatModel | None = None
        self._lock = threading.Lock()

    @property
    def model(self) -> str:
        """The model that answers."""
        return (self._second or self._first).model

    def complete(self, messages: Sequence[Message], *, extra: Mapping[str, Any] | None = None) -> ChatResult:
        """What the model says to `messages`; see `ChatModel.complete`."""
        if self._second is None:
            try:
                return self._first.complete(messages, extra=extra)
            except ModelNotFoundError:
                self._replace()
        assert self._second is not None, "it was put in place just now, or before"
        return self._second.complete(messages, extra=extra)

    def _replace(self) -> None:
        with self._lock:
            if self._second is None:
                self._second = self._make_second()
                self._told()

    def close(self) -> None:
        """Closes the connections of both."""
        self._first.close()
        if self._second is not None:
            self._second.close()
