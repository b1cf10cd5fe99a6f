"""Which natural language a text is in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from rag_assets.documents.model import Block

SAMPLE_CHARACTERS = 1_000
MIN_LETTERS = 20
# More likely than all others together; technical prose in one language reaches .6 to .9.
MIN_PROBABILITY = 0.6
# Scripts without spaces say more per letter.
MIN_WIDE_LETTERS = 6
_WIDE = re.compile("[\u3040-\ud7a3]")
_ISO_639_1 = re.compile(r"^[a-z]{2}$")


def normalize(code: str | None) -> str | None:
    """The ISO 639-1 part of a language tag ("en-US" → "en"), or None when it has none."""
    primary = re.split(r"[-_]", (code or "").strip().lower(), maxsplit=1)[0]
    return primary if _ISO_639_1.match(primary) else None


def detect(text: str, blocks: Iterable[Block]) -> str | None:
    """The language of the prose among the first thousand characters of `blocks`; None when too short or unsure."""
    sample = _prose(text, blocks)
    letters = sum(map(str.isalpha, sample))
    wide = len(_WIDE.findall(sample))
    if letters < MIN_LETTERS and wide < MIN_WIDE_LETTERS:
        return None
    label, probability = _identifier().classify(sample)
    return normalize(label) if probability >= MIN_PROBABILITY else None


def _prose(text: str, blocks: Iterable[Block]) -> str:
    parts: list[str] = []
    length = 0
    for block in blocks:
        if block.kind in ("code", "table"):
            continue
        parts.append(text[block.start : min(block.end, block.start + SAMPLE_CHARACTERS - length)])
        length += len(parts[-1])
        if length >= SAMPLE_CHARACTERS:
            break
    return "\n".join(parts)


@cache
def _identifier() -> Any:
    # Loaded when the first text needs it.
    from rag_assets.documents.parsing.language_model import load_identifier

    return load_identifier()
