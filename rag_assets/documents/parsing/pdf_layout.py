"""From the lines of a PDF to its paragraphs, list items and headings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag_assets.documents.model import BlockKind
from rag_assets.documents.parsing.pdf_lines import Line

# Relative to the height of a line.
PARAGRAPH_GAP = 0.45
BOLD_GAP = 0.25
SAME_SIZE = 0.08
HEADING_SIZE = 1.15
HEADING_MAX_CHARACTERS = 120
HEADING_MAX_LINES = 3
HEADING_LEVELS = 6

_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(r"(?:page\s+)?[\divxlc]+(?:\s*(?:of|/|-)\s*\d+)?", re.IGNORECASE)
_ITEM = re.compile(r"(?:[•‣◦▪●○■–*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+\S")
_LETTER = re.compile(r"[^\W\d_]")
# PDFium writes U+0002, formerly U+FFFE, for a hyphen that it takes to cut a word at the end of a line.
_CUT = re.compile("[\u0002\ufffe\u00ad]\r?\n?")
_CONTROL = re.compile(r"[\u0000-\u0008\u000b-\u001f\u007f]")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that read on. `level` is 1-6 for a heading, else 0."""

    kind: BlockKind
    text: str
    page: int
    level: int = 0


def without_running_lines(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """The pages without headers, footers and page numbers: lines in the margin that half of the pages share."""
    shared = Counter(key for page in pages for key in {_running_key(line) for line in page if line.margin})
    common = {key for key, count in shared.items() if count >= 2 and count * 2 >= len(pages)}
    return [
        [
            line
            for line in page
            if not (line.margin and (_running_key(line) in common or _PAGE_NUMBER.fullmatch(line.text)))
        ]
        for page in pages
    ]


def _running_key(line: Line) -> str:
    return _DIGITS.sub("#", line.text)


def paragraphs(pages: Sequence[Sequence[Line]]) -> Iterator[Paragraph]:
    """The paragraphs of all pages in order. None reaches over a page's end, so that each has one page."""
    groups = [group for page in pages for group in _groups(page)]
    body = _body_heights(groups)
    headings = [_is_heading(group, *body) for group in groups]
    sizes = sorted({_size(group[0]) for group, heads in zip(groups, headings, strict=True) if heads}, reverse=True)
    levels = {size: min(level, HEADING_LEVELS) for level, size in enumerate(sizes, start=1)}
    for group, heads in zip(groups, headings, strict=True):
        text = _join(group)
        if not text:
            continue
        if heads:
            yield Paragraph("heading", text, group[0].page, levels[_size(group[0])])
        else:
            yield Paragraph("list" if _ITEM.match(text) else "paragraph", text, group[0].page)


def _size(line: Line) -> float:
    return round(line.height)


def _body_heights(groups: Sequence[Sequence[Line]]) -> tuple[float, float]:
    """The height that most characters are set in, and the greatest that whole paragraphs are (in a document of tables
    these differ)."""
    heights: Counter[float] = Counter()
    for group in groups:
        heights[round(group[0].height, 1)] += sum(len(line.text) for line in group)
    usual = heights.most_common(1)[0][0] if heights else 0.0
    long = (group[0].height for group in groups if sum(len(line.text) for line in group) > HEADING_MAX_CHARACTERS)
    return usual, max(usual, *long, 0.0)


def _groups(page: Sequence[Line]) -> Iterator[list[Line]]:
    group: list[Line] = []
    for line in page:
        if group and not _reads_on(group[-1], line):
            yield group
            group = []
        group.append(line)
    if group:
        yield group


def _reads_on(above: Line, line: Line) -> bool:
    if above.bold != line.bold or abs(above.height - line.height) > SAME_SIZE * above.height or _ITEM.match(line.text):
        return False
    if line.bottom >= above.top:
        # Further up: the next column, where an unfinished sentence goes on.
        return line.text[:1].islower() and above.text[-1:] not in ".!?:"
    return above.bottom - line.top <= (BOLD_GAP if line.bold else PARAGRAPH_GAP) * above.height


def _is_heading(group: Sequence[Line], usual: float, prose: float) -> bool:
    if len(group) > HEADING_MAX_LINES:
        return False
    text = " ".join(line.text for line in group)
    if len(text) > HEADING_MAX_CHARACTERS or not _LETTER.search(text):
        return False
    if text.rstrip("\"'”’)").endswith((":", ".", ",", ";")):
        return False
    height = group[0].height
    return height >= prose * HEADING_SIZE or (group[0].bold and height >= usual * (1 - SAME_SIZE))


def _join(group: Sequence[Line]) -> str:
    text = ""
    for line in group:
        words = _CONTROL.sub("", _CUT.sub("", line.text))
        cut = line.text[-1:] in ("\u0002", "\ufffe", "\u00ad")
        if text.endswith("-") and text[-2:-1].isalpha() and words[:1].islower():
            text = text[:-1] + words
        else:
            text += words
        text += "" if cut or text.endswith("-") else " "
    return text.strip()
