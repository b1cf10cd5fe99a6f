"""What a parser returns, and the two ways to arrive there.

A parser that keeps the source as the document's text locates blocks in it (`add_span`); one that renders text from a
tree or from pages appends it piece by piece (`add_text`). Either way the builder keeps the heading path and the
invariants of `Document.blocks`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from rag_assets.documents.model import Block, BlockKind

SEPARATOR = "\n\n"
METADATA_VALUE_MAX = 1_000
_OTHER_DATE_FORMATS = ("%d-%b-%Y", "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%Y/%m/%d", "%Y-%m", "%B %Y")
_SPACES = re.compile(r"\s+")


@dataclass(slots=True)
class Draft:
    """A document before what every format shares is filled in. `title` is None when the content names none."""

    text: str
    blocks: tuple[Block, ...]
    title: str | None = None
    language: str | None = None
    published_at: datetime | None = None
    metadata: dict[str, str] = field(default_factory=dict)


class DraftBuilder:
    """Collects blocks in reading order. Built with a text, it locates blocks in it; without, it writes the text."""

    def __init__(self, text: str = "") -> None:
        self._source = text
        self._parts: list[str] = []
        self._length = 0
        self._blocks: list[Block] = []
        self._outline: list[tuple[int, str]] = []
        self._path: tuple[str, ...] = ()
        self.first_h1: str | None = None

    def add_span(self, kind: BlockKind, start: int, end: int, *, heading: str = "", level: int = 0) -> None:
        """Adds `text[start:end]`, without trailing white space; a blank or overlapping stretch adds nothing."""
        if self._blocks:
            start = max(start, self._blocks[-1].end)
        end = start + len(self._source[start:end].rstrip())
        if end > start:
            path = self._enter(level, heading) if kind == "heading" else self._path
            self._blocks.append(Block(kind, start, end, level, None, path))

    def add_text(self, kind: BlockKind, text: str, *, level: int = 0, page: int | None = None) -> None:
        """Appends `text`, stripped of blank lines around it and set off by an empty line; blank text adds nothing."""
        text = clean(text).strip("\n").rstrip() if kind == "code" else clean(text).strip()
        if not text or text.isspace():
            return
        path = self._enter(level, text) if kind == "heading" else self._path
        if self._parts:
            self._parts.append(SEPARATOR)
            self._length += len(SEPARATOR)
        start = self._length
        self._parts.append(text)
        self._length += len(text)
        self._blocks.append(Block(kind, start, self._length, level, page, path))

    def finish(self) -> Draft:
        """The draft, titled by its first heading of level 1."""
        return Draft(self._source or "".join(self._parts), tuple(self._blocks), title=self.first_h1)

    def _enter(self, level: int, heading: str) -> tuple[str, ...]:
        heading = one_line(heading)
        while self._outline and self._outline[-1][0] >= level:
            self._outline.pop()
        if heading:
            self._outline.append((level, heading))
        self._path = tuple(title for _, title in self._outline)
        if level == 1 and self.first_h1 is None and heading:
            self.first_h1 = heading
        return self._path


def clean(text: str) -> str:
    """`text` with what no table or index can hold replaced: NUL and lone surrogates become U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def one_line(text: str) -> str:
    """`text` with each run of white space as one space."""
    return _SPACES.sub(" ", text).strip()


def to_utc(value: object) -> datetime | None:
    """A date or time as an aware datetime in UTC; one without a zone is taken as UTC. None when it is no date."""
    if isinstance(value, str):
        value = _read_date(value.strip())
    if isinstance(value, datetime):
        try:
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        except (OverflowError, ValueError):
            return None
    return datetime(value.year, value.month, value.day, tzinfo=UTC) if isinstance(value, date) else None


def _read_date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for layout in _OTHER_DATE_FORMATS:
        try:
            return datetime.strptime(text, layout).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def metadata_of(values: dict[str, object]) -> dict[str, str]:
    """The plain values among `values` as text, long ones cut; containers and blanks are left out."""
    kept = {}
    for key, value in values.items():
        if isinstance(value, str | int | float | date):
            text = one_line(clean(str(value)))[:METADATA_VALUE_MAX]
            if text:
                kept[clean(str(key))] = text
    return kept
