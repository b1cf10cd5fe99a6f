"""A real server for tests and benches: `rag-assets dev` as a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag_assets_tests.serving.door import running_door

ON_CALL = "automation: {watch_files: false, release_when_settled: false, schedules: false}"
"""Settings with which nothing starts but what a caller asks for."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serves the project in `folder` while the body runs; yields the address once its code location has loaded."""
    with running_door(folder) as door:
        yield door.url
