"""Words, their stems, and what kind of answer a word could be part of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

WORD = re.compile(r"\w+(?:[.,'’\-]\w+)*")


def word_set(words: str) -> frozenset[str]:
    """The words of a list written as one text."""
    return frozenset(words.split())


# Carry grammar, not a subject.
STOP_WORDS = word_set(
    "a about after all also am an and any are as at be been before being between both but by can could did do does "
    "doing done during each either else every for from had has have having he her hers him his how i if in into is it "
    "its itself just like made make many may me might more most much must my no nor not of off on once one only or "
    "other our out over own same she should so some such than that the their them then there these they this those "
    "through to too under until up upon us very was we were what when where which while who whom whose why will with "
    "would you your"
)
_DATES = word_set(
    "january february march april may june july august september october november december jan feb mar apr jun jul aug "
    "sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday"
)
_NUMBERS = word_set(
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand thousands million "
    "millions billion billions trillion dozen dozens half third quarter twice double triple once first second single"
)
_YEAR = re.compile(r"(?:1\d{3}|20\d\d)(?:s|[-–]\d{2,4})?$|\d{1,2}(?:st|nd|rd|th)$")
# Longest first; what is taken off, and what is put in its place.
_SUFFIXES = (
    ("ational", "ate"), ("ization", "ize"), ("isation", "ise"), ("fulness", "ful"), ("ement", ""), ("ments", ""),
    ("ment", ""), ("ations", "ate"), ("ation", "ate"), ("ities", ""), ("ity", ""), ("ically", "ic"), ("ings", ""),
    ("ing", ""), ("edly", ""), ("ied", "y"), ("ies", "y"), ("ed", ""), ("ions", ""), ("ion", ""), ("ers", ""),
    ("er", ""), ("ors", ""), ("or", ""), ("ly", ""), ("es", ""), ("s", ""),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: its offsets, its stem, and what it looks like.

    `stems` are the stem of the whole and, where hyphens join several words, of each.
    """

    start: int
    end: int
    text: str
    stem: str
    stems: frozenset[str]
    capital: bool
    number: bool
    date: bool

    @property
    def content(self) -> bool:
        """Whether the word says something about a subject."""
        return self.text.lower() not in STOP_WORDS


def words(text: str) -> list[Word]:
    """The words of a text in order. Letters joined by an apostrophe, hyphen, point or comma are one word."""
    found = []
    for match in WORD.finditer(text):
        lower = match[0].lower()
        number = lower[0].isdigit() or lower in _NUMBERS
        date = (lower in _DATES and match[0][0].isupper()) or _YEAR.match(lower) is not None
        whole = stem(lower)
        stems = frozenset({whole, *(stem(part) for part in lower.split("-"))}) if "-" in lower else frozenset({whole})
        found.append(Word(match.start(), match.end(), match[0], whole, stems, match[0][0].isupper(), number, date))
    return found


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A lower-case word without its inflection: enough for "played", "plays" and "playing" to be equal."""
    word = word.removesuffix("'s").removesuffix("’s")
    for suffix, replacement in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: len(word) - len(suffix)] + replacement
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word[-1] in "ey" else word
