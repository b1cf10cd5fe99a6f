"""What a question must be before any work is done for it."""

from __future__ import annotations

import unicodedata

from rag_assets.errors import QueryError

_KEPT_CONTROLS = "\n\t"


def check_question(text: str, *, max_characters: int) -> str:
    """`text` without control characters and outer white space, in Unicode's composed form.

    Raises `QueryError` when nothing is left, or more than `max_characters`.
    """
    if len(text) > 4 * max_characters:  # do not normalise a megabyte only to refuse it
        raise _too_long(len(text), max_characters)
    encodable = text.encode("utf-8", "replace").decode("utf-8")
    composed = unicodedata.normalize("NFC", encodable)
    cleaned = "".join(
        character if unicodedata.category(character) != "Cc" or character in _KEPT_CONTROLS else " "
        for character in composed
    ).strip()
    if not cleaned:
        raise QueryError("The question is empty.", fix="Ask in words, in one or two sentences.")
    if len(cleaned) > max_characters:
        raise _too_long(len(cleaned), max_characters)
    return cleaned


def _too_long(length: int, limit: int) -> QueryError:
    return QueryError(
        f"The question has {length:,} characters, and at most {limit:,} are answered.",
        fix="Shorten it, or raise answering.max_question_characters.",
    )
