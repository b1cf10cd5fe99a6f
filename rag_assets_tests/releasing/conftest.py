"""A project that was released four times, with another temperature each time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.releasing.stages import refresh

DEGREES = ("sixty", "seventy", "eighty", "ninety")


@pytest.fixture
def brew(small_project: SmallProject) -> Callable[[str], str]:
    """Releases tea brewed at so many degrees; returns the id of the release."""

    def released(degrees: str) -> str:
        small_project.write("wiki/tea.md", f"# Tea\n\nGreen tea is brewed at {degrees} degrees.\n")
        return refresh(small_project)

    return released


@pytest.fixture
def four_times(small_project: SmallProject, brew: Callable[[str], str]) -> tuple[SmallProject, list[str]]:
    """The project and its releases, oldest first."""
    small_project.configure(wiki="")
    return small_project, [brew(degrees) for degrees in DEGREES]
