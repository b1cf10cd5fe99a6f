"""The lines of a PDF page with what layout needs to know of each: where it stands and how it is set."""

from __future__ import annotations

import ctypes
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_BOLD_NAME = re.compile(r"bold|black|heavy|semibold|[-,]bd\b", re.IGNORECASE)
_BOLD_WEIGHT = 600
_WORD = re.compile(r"\S+")
_FONT_NAME_BYTES = 128


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text. `top`, `bottom` and `height` are points from the page's lower edge; `margin` says that it stands
    where headers and footers do; `bold` that all its words are."""

    page: int
    text: str
    top: float
    bottom: float
    margin: bool
    bold: bool

    @property
    def height(self) -> float:
        """Height of the line's box, in proportion to the size of its font."""
        return self.top - self.bottom


MARGIN_SHARE = 0.08


def read_lines(document: Any, number: int) -> list[Line]:
    """The lines of page `number` (from 0) of a `pypdfium2.PdfDocument`, blank ones left out."""
    page = document[number]
    textpage = page.get_textpage()
    try:
        characters = textpage.count_chars()
        if characters == 0:
            return []
        height = page.get_height()
        lines = []
        is_bold = _boldness(textpage.raw)
        position = 0
        # A character beyond the basic plane is one position of PDFium's and one of the string's, so positions agree.
        for text in textpage.get_text_range().split("\n"):
            first = _WORD.search(text)
            if first:
                at = min(position + first.start(), characters - 1)
                _, bottom, _, top = textpage.get_charbox(at, loose=True)
                middle = (top + bottom) / 2
                margin = not height * MARGIN_SHARE < middle < height * (1 - MARGIN_SHARE)
                words = _WORD.finditer(text)
                bold = all(is_bold(min(position + word.start(), characters - 1)) for word in words)
                lines.append(Line(number + 1, text.strip(), top, bottom, margin, bold))
            position += len(text) + 1
        return lines
    finally:
        textpage.close()
        page.close()


def _boldness(textpage: Any) -> Callable[[int], bool]:
    """Whether the character at a position of a page is bold. `textpage` is PDFium's own handle."""
    import pypdfium2.raw as raw

    weight, font_name, is_bold_name = raw.FPDFText_GetFontWeight, raw.FPDFText_GetFontInfo, _is_bold_name
    name = ctypes.create_string_buffer(_FONT_NAME_BYTES)

    def is_bold(position: int) -> bool:
        # The weight first: it is a number, and most bold fonts have one.
        if weight(textpage, position) >= _BOLD_WEIGHT:
            return True
        name[0] = b"\0"
        font_name(textpage, position, name, _FONT_NAME_BYTES, None)
        return is_bold_name(name.value)

    return is_bold


@functools.lru_cache(maxsize=1_024)
def _is_bold_name(name: bytes) -> bool:
    return _BOLD_NAME.search(name.decode("ascii", "replace")) is not None
