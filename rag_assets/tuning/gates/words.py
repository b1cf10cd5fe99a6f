"""Words of questions as they are compared: nothing of how they are written is left but the words."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence

_FREQUENT = (
    "a about all also am an and any are as at be because been before being between both but by can could did do does "
    "doing during each few for from further had has have having he her here hers him his i if in into is it its just "
    "know me more most my no nor not of off on once only or other our out over own please s same say she should so "
    "some such t tell than that the their them then there these they this those through to too under until up us very "
    "was we were what which while will with would you your"
)
STOP_WORDS = frozenset(_FREQUENT.split())
"""Words without which a question still says what it is about."""

_ENDING = re.compile(r"(?<=[a-z]{3})(?:ing|ed|es|s)\Z")
_ALONE = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0x20000, 0x3FFFF))
"""Scripts without spaces between words: Thai and Lao, Burmese, Khmer, Japanese, Chinese."""


def words_of(text: str) -> list[str]:
    """The words of `text`, in order, without case, accents, punctuation and English endings.

    A character of a script without spaces is a word of its own.
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return [_stem(word) for word in "".join(map(_written, folded)).split()]


def threes_of(words: Sequence[str]) -> list[str]:
    """The letters of `words` in threes, over the ends of the words: "data set" has nearly those of "dataset"."""
    joined = f" {''.join(words)} "
    return [joined[at : at + 3] for at in range(len(joined) - 2)]


@functools.lru_cache(maxsize=65_536)
def _written(character: str) -> str:
    if "\u0300" <= character <= "\u036f":  # the accents of Latin, Greek and Cyrillic letters
        return ""
    if unicodedata.category(character)[0] not in "LMN":
        return " "
    at = ord(character)
    return f" {character} " if any(first <= at <= last for first, last in _ALONE) else character


@functools.lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    return word if word in STOP_WORDS else _ENDING.sub("", word)
