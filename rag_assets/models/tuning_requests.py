"""What is special in requests about tuning: one that costs money leaves in time or not at all, and lists have pages."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rag_assets.errors import RateLimitError
from rag_assets.models.tuning_objects import ProviderJob

if TYPE_CHECKING:
    import httpx2

PAGES_AT_MOST = 100


class NotAfter:
    """An `HttpObserver` that lets no request leave later than so many seconds after it was wanted."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._wanted = threading.local()

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """For the requests of this thread in the body; 0 is no limit."""
        self._wanted.until = time.monotonic() + seconds if seconds else None
        try:
            yield
        finally:
            self._wanted.until = None

    def before_request(self, request: httpx2.Request) -> None:
        until = getattr(self._wanted, "until", None)
        if until is not None and time.monotonic() > until:
            raise RateLimitError(
                f"Provider {self._provider!r}: the request waited too long for its turn, and was not sent.",
                fix=f"Run again later, or raise the limits of models.providers.{self._provider}.",
            )

    def after_response(self, response: httpx2.Response) -> None:
        """Nothing to do."""


def pages(page: Any) -> Iterator[list[Any]]:
    """The pages of a list, as far as `PAGES_AT_MOST`; ends at servers that give the same page again and again."""
    seen: set[str] = set()
    for _ in range(PAGES_AT_MOST):
        items = list(getattr(page, "data", None) or [])
        first = str(getattr(items[0], "id", "")) if items else ""
        if not items or first in seen:
            return
        seen.add(first)
        yield items
        if not page.has_next_page():
            return
        page = page.get_next_page()


def all_older(jobs: list[ProviderJob], than: datetime) -> bool:
    """Whether this page and those behind it are older: it is sorted from new to old, as OpenAI's are."""
    times = [job.created_at for job in jobs]
    descending = len(times) > 1 and times == sorted(times, reverse=True) and times[0] > times[-1]
    return descending and times[0] < than
