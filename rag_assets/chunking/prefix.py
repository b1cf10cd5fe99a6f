"""The heading prefix: what a chunk's input says of where its text stands."""

from __future__ import annotations

from collections.abc import Sequence

from rag_assets.chunking.tokenizer import Tokenizer

SEPARATOR = " > "


class HeadingPrefixes:
    """The prefixes of one document: its title and a heading path, joined by " > ", on a line of their own.

    A prefix has at most `budget_tokens` tokens. A longer one loses names from the left, then the last name loses its
    beginning: the nearest heading says most about the text. The same arguments give the same prefix.
    """

    def __init__(self, title: str, tokenizer: Tokenizer, *, budget_tokens: int, enabled: bool = True) -> None:
        self.budget_tokens = budget_tokens
        self._title = title
        self._tokenizer = tokenizer
        self._enabled = enabled
        self._known: dict[tuple[tuple[str, ...], str, int], tuple[str, int]] = {}

    def fit(self, path: tuple[str, ...], opening: str = "", room_tokens: int | None = None) -> tuple[str, int]:
        """The prefix for text under `path`, its newline included, and its tokens; ("", 0) where none fits.

        `opening` is the heading that the text itself begins with; it is not said twice.
        """
        room = self.budget_tokens if room_tokens is None else min(self.budget_tokens, room_tokens)
        key = (path, opening, room)
        if key not in self._known:
            self._known[key] = self._make(path, opening, room)
        return self._known[key]

    def _make(self, path: tuple[str, ...], opening: str, room: int) -> tuple[str, int]:
        names = _distinct([self._title, *path], opening) if self._enabled and room > 0 else []
        for first in range(len(names)):
            line = SEPARATOR.join(names[first:]) + "\n"
            tokens = self._tokenizer.count(line)
            if tokens <= room:
                return line, tokens
        return self._tail(names[-1], room) if names else ("", 0)

    def _tail(self, name: str, room: int) -> tuple[str, int]:
        starts = self._tokenizer.starts(name).tolist()
        for start in starts[max(0, len(starts) - room) :]:
            line = name[start:].strip() + "\n"
            tokens = self._tokenizer.count(line)
            if tokens <= room and line != "\n":
                return line, tokens
        return "", 0


def _distinct(names: Sequence[str], opening: str) -> list[str]:
    """The names on one line each, without blank ones and neighbours that repeat, and without a final `opening`."""
    kept: list[str] = []
    for name in (" ".join(name.split()) for name in names):
        if name and not (kept and kept[-1].casefold() == name.casefold()):
            kept.append(name)
    while kept and kept[-1].casefold() == " ".join(opening.split()).casefold():
        kept.pop()
    return kept
