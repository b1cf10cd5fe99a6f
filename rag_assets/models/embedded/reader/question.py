"""What a question asks for, as far as its words say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from rag_assets.models.embedded.reader.words import Word, words

Asks = Literal["person", "date", "place", "number", "reason", "manner", "definition", "thing"]

_DATE_NOUNS = "year|years|date|day|month|century|decade|time|era|period"
_NUMBER_NOUNS = (
    "percent|percentage|number|amount|population|score|proportion|rate|size|length|height|age|cost|price|limit"
)
_PLACE_NOUNS = "city|country|state|place|location|region|town|county|continent|area|street|nation|province"
_PERSON_NOUNS = "person|man|woman|king|queen|president|author|scientist|player|actor|actress|singer|leader|emperor"
_PATTERNS: tuple[tuple[str, Asks], ...] = (
    (r"\bwhen\b", "date"),
    (rf"\b(?:what|which)\s+(?:\w+\s+)?(?:{_DATE_NOUNS})\b", "date"),
    (r"\bhow\s+(?:many|much|old|long|far|large|big|tall|high|fast|often|deep|wide|heavy|few)\b", "number"),
    (rf"\b(?:what|which)\s+(?:(?:is|was|are|were)\s+the\s+)?(?:\w+\s+)?(?:{_NUMBER_NOUNS})\b", "number"),
    (r"\bwhere\b", "place"),
    (rf"\b(?:what|which)\s+(?:\w+\s+)?(?:{_PLACE_NOUNS})\b", "place"),
    (r"\b(?:who|whom|whose)\b", "person"),
    (rf"\b(?:what|which)\s+(?:\w+\s+)?(?:{_PERSON_NOUNS})\b", "person"),
    (r"\bwhy\b|\bwhat\s+(?:\w+\s+)?(?:reason|cause)|\bfor what\b", "reason"),
    (r"\bhow\b", "manner"),
    (r"^\s*what\s+(?:is|are|was|were)\s+(?:an?\s+|the\s+)?[\w\- ]+\??\s*$|\bdefin|\bmeaning\b", "definition"),
)
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), asks) for pattern, asks in _PATTERNS)
_HEAD = re.compile(
    r"\b(?:what|which|how many|how much|whose)\s+(?:(?:is|was|are|were)\s+the\s+)?((?:[\w'-]+\s+){0,2}?[\w'-]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question's words, the kind of answer it asks for, and the stems that its answer would not repeat."""

    text: str
    words: tuple[Word, ...]
    asks: Asks
    head: tuple[int, int] | None
    stems: frozenset[str]


def read_question(text: str) -> Question:
    """The question as the scoring sees it; `asks` is "thing" where nothing says otherwise.

    `head` is the span of the noun after "what", "which" or "how many", which names the kind of answer ("*bridge*").
    """
    asks: Asks = next((asks for pattern, asks in _COMPILED if pattern.search(text)), "thing")
    head = _HEAD.search(text)
    said = tuple(words(text))
    return Question(text, said, asks, head.span(1) if head else None, frozenset(w.stem for w in said))
