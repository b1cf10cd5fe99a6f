"""Reads the fenced blocks of a page of the documentation, so that a test can run them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_FENCE = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]+?) -->\n)?^```(?P<language>bash|python)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. `reason` says why it is not run, where it is not."""

    page: str
    line: int
    language: str
    text: str
    reason: str | None


def blocks(page: Path) -> list[Block]:
    """The blocks of `page` that are commands or Python, in order."""
    text = page.read_text("utf-8")
    return [
        Block(
            page=str(page.relative_to(DOCS.parent)),
            line=text[: found.start("text")].count("\n") + 1,
            language=found["language"],
            text=found["text"],
            reason=found["reason"],
        )
        for found in _FENCE.finditer(text)
    ]
