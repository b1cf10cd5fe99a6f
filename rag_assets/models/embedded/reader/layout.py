"""The blocks of a text as far as its marks show them, for Markdown, reStructuredText and plain prose alike.

The reader sees passages without the block structure that parsing found, so this looks at line marks only; it never
fails, and what it does not know is prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

BlockKind = Literal["prose", "code", "row", "heading"]

_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(?=\S)")
_RULE = re.compile(r"\s*([=\-*_~^+#])\1{2,}\s*$")
_ROW = re.compile(r"\s*(?:\|.*\||\S.*\s\|\s.*\S)\s*$")  # with outer bars, or without as in rendered tables
_ROW_RULE = re.compile(r"[\s|:+=-]+$")
_ITEM = re.compile(r"\s*(?:>\s*)?(?:[-*+•]|\(?\d{1,3}[.)]|[a-z][.)])\s+(?=\S)")
_QUOTED = re.compile(r"\s{0,3}>\s?(?=\S)")
_LABEL = re.compile(r"\s*(?:>\s*\[!\w+\]|(?:!!!|\?\?\?)\+?\s+\w.*)\s*$")  # > [!NOTE] and !!! note "Title"
_IMAGE = re.compile(r"\s*!\[[^\]]*\]\([^)]*\)\s*$")
_INDENTED = re.compile(r"(?: {4,}|\t)\S")


@dataclass(frozen=True, slots=True)
class Block:
    """`text[start:end]`, which may have white space around it. A heading, a label or an image is a "heading"."""

    start: int
    end: int
    kind: BlockKind


def blocks(text: str) -> list[Block]:
    """The blocks in order; they do not overlap and leave out no word except in list and heading marks."""
    reader = _Lines()
    for start, end in _lines(text):
        reader.take(start, end, text[start:end])
    reader.close("code" if reader.fence or reader.indented else "prose")
    return reader.found


class _Lines:
    """Takes the lines of a text one by one; `open` are the bounds of the block that is not closed yet, if any."""

    def __init__(self) -> None:
        self.found: list[Block] = []
        self.open: tuple[int, int] | None = None
        self.fence = ""
        self.indented = False
        self.in_list = False
        self.after_blank = True
        self.lines_open = 0

    def take(self, start: int, end: int, line: str) -> None:
        blank = not line.strip()
        if not self._take_code(start, end, line, blank):
            if blank:
                self.close()
            elif not self._take_marked(start, end, line):
                self.in_list = self.in_list and (line[0] in " \t" or not self.after_blank)
                quoted = _QUOTED.match(line) if self.open is None else None
                self._extend(start + (quoted.end() if quoted else 0), end)
        self.after_blank = blank

    def close(self, kind: BlockKind = "prose") -> None:
        if self.open is not None:
            self.found.append(Block(*self.open, kind))
        self.open, self.lines_open = None, 0

    def _extend(self, start: int, end: int) -> None:
        self.open = (start if self.open is None else self.open[0], end)
        self.lines_open += 1

    def _take_code(self, start: int, end: int, line: str, blank: bool) -> bool:
        """Whether the line is part of a code block, fenced or indented."""
        if self.fence:
            self._extend(start, end)
            if line.strip().startswith(self.fence) and not line.strip().strip(self.fence[0]):
                self.close("code")
                self.fence = ""
            return True
        if self.indented and not blank and not _INDENTED.match(line):
            self.close("code")
            self.indented = False
        opened = _FENCE.match(line)
        if opened and not self.indented:
            self.close()
            self.fence = opened[1]
        elif self.after_blank and not self.in_list and not self.indented and _INDENTED.match(line):
            self.close()
            self.indented = True
        if self.fence or self.indented:
            self._extend(start, end)
            return True
        return False

    def _take_marked(self, start: int, end: int, line: str) -> bool:
        """Whether the line is a block of its own by its marks, or begins one."""
        if _RULE.match(line):
            self.close("heading" if self.lines_open == 1 else "prose")
        elif heading := _HEADING.match(line) or _LABEL.match(line) or _IMAGE.match(line):
            self.close()
            self.in_list = self.in_list or _LABEL.match(line) is not None  # what is indented below is prose
            self._extend(start + heading.end() if _HEADING.match(line) else start, end)
            self.close("heading")
        elif _ROW.match(line):
            self.close()
            if not _ROW_RULE.match(line):
                self._extend(start, end)
                self.close("row")
        elif item := _ITEM.match(line):
            self.close()
            self.in_list = True
            self._extend(start + item.end(), end)
        else:
            return False
        return True


def _lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for line in text.splitlines(keepends=True):
        yield start, start + len(line)
        start += len(line)
