"""A text cut into the units that a reader can quote, and those into clauses.

A fenced or indented code block is one unit, a table row is one, a list item starts one, a heading is one that is never
quoted, everything else is split into sentences. Offsets are characters of the text as given; a unit has no white space
around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rag_assets.models.embedded.reader.layout import blocks
from rag_assets.models.embedded.reader.words import word_set

UnitKind = Literal["sentence", "code", "row", "heading"]

# A run of closing marks, the quotes and brackets after it, then white space; East Asian marks need no space.
_END = re.compile(r"[.!?…]+[\"'”’»)\]*_`]*(?=\s)|[。！？]+[」』”]*")
_ABBREVIATIONS = word_set(
    "mr mrs ms dr prof rev fr sr jr st mt ft gen col lt sgt capt maj adm gov sen rep hon pres "
    "no nos vol vols fig figs eq eqs sec ch pp p ed eds art approx ca c cf e.g i.e eg ie vs v viz al etc "
    "inc ltd co corp bros dept est univ assn jan feb mar apr jun jul aug sep sept oct nov dec a.m p.m"
)
# After an acronym with periods ("the U.S."), only these words are taken to begin a sentence.
_STARTERS = word_set(
    "the a an this that these those it its he she they we i you in on at by for from to as if when while after "
    "before although however but and there"
)
_CLAUSE = re.compile(
    r"(?<=[,;:])\s+|\s+(?=[—–-]\s)|(?<=\w)(?=—)|(?<=[)\]])\s+|\s+(?=[(\[])"
    r"|\s+(?=(?:and|but|or|which|who|where|when|while|because|although|that|after|before|with|by|as)\s)"
)
_LINE = re.compile(r"\n")
_LEAST_CLAUSE_WORDS = 4


@dataclass(frozen=True, slots=True)
class Unit:
    """A quotable piece of a text (a heading is only context)."""

    start: int
    end: int
    kind: UnitKind


def units(text: str) -> list[Unit]:
    """The units of a text in order; they do not overlap, and no word outside list and heading marks is left out.

    Code takes in a sentence right before it that ends in a colon ("Import from a backup:"): each is the other's sense.
    """
    found: list[Unit] = []
    for block in blocks(text):
        if block.kind == "prose":
            found.extend(Unit(a, b, "sentence") for a, b in _sentences(text, block.start, block.end) if a < b)
            continue
        start, end = _trimmed(text, block.start, block.end)
        if block.kind == "code" and found and found[-1].kind == "sentence" and text[found[-1].end - 1] == ":":
            start = found.pop().start
        if start < end:
            found.append(Unit(start, end, block.kind))
    return found


def clauses(text: str, unit: Unit, *, most_words: int) -> list[tuple[int, int]]:
    """A unit cut at commas, brackets, dashes and conjunctions (code at its lines) into pieces of 4 words or more.

    The last may be shorter, and a clause longer than `most_words` is cut after that many words.
    """
    start, end = unit.start, unit.end
    pieces: list[tuple[int, int]] = []
    pattern = _LINE if unit.kind == "code" else _CLAUSE
    cuts = [match.end() for match in pattern.finditer(text, start, end)]
    for a, b in zip([start, *cuts], [*cuts, end], strict=True):
        if pieces and len(text[pieces[-1][0] : pieces[-1][1]].split()) < _LEAST_CLAUSE_WORDS:
            pieces[-1] = (pieces[-1][0], b)
        else:
            pieces.append((a, b))
    short = [piece for a, b in pieces for piece in _within(text, a, b, most_words)]
    return [(a, b) for a, b in (_trimmed(text, a, b) for a, b in short) if a < b]


def _within(text: str, start: int, end: int, most_words: int) -> Iterator[tuple[int, int]]:
    words = [match.start() for match in re.finditer(r"\S+", text[start:end])]
    firsts = [start + offset for offset in words[::most_words]] or [start]
    yield from zip(firsts, [*firsts[1:], end], strict=True)


def _sentences(text: str, start: int, end: int) -> list[tuple[int, int]]:
    found = []
    for match in _END.finditer(text, start, end):
        if _ends_sentence(text, start, match, end):
            found.append(_trimmed(text, start, match.end()))
            start = match.end()
    found.append(_trimmed(text, start, end))
    return found


def _ends_sentence(text: str, start: int, match: re.Match[str], end: int) -> bool:
    """Whether a run of closing marks ends the sentence that began at `start`."""
    following = text[match.end() : end].lstrip()
    if not following:
        return False
    if match[0][0] in "。！？":
        return True
    if following.lstrip("\"'“‘«([*_`")[:1].islower():
        return False
    if not match[0].startswith(".") or match[0].startswith(".."):
        return True
    word = re.split(r"[\s(\[\"'“‘]", text[start : match.start()])[-1]
    if re.fullmatch(r"(?:\w\.)+\w", word):
        return word.lower() not in _ABBREVIATIONS and re.split(r"\W", following.lower())[0] in _STARTERS
    if len(word) == 1 and word.isupper() and word != "I":
        return False
    return word.lower() not in _ABBREVIATIONS


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
