"""Which passages an answer really stands on: every citation is checked against the words of its passage.

A model may cite a passage that does not hold the statement, or cite none. A statement is what stands between two groups
of marks, brackets that are no mark included. Its own words are quoted where the passage has them, else the sentence of
the passage that shares most of its words; a citation whose best sentence shares too little is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from rag_assets.answering.answer import Citation
from rag_assets.store import Hit

MARK = re.compile(r"\[(\d{1,3})\]")
MIN_OVERLAP = 0.5
"""Share of a statement's words that the quote must hold. Half: a paraphrase passes, another topic does not."""
MIN_SENTENCE_WORDS = 3
"""A shorter sentence of a statement does not carry its citation alone: "Yes." stands in too many passages."""

_SENTENCE = re.compile(r"\S.*?(?:[.!?:;](?=\s|$)|\n|$)", re.DOTALL)
_WORD = re.compile(r"\w+")
# In "Overlap is off [1]. Releases are immutable [2]." the first full stop belongs to what [1] cites.
_END_OF_LAST = re.compile(r"\A[.,;:!?)]+\s")


def cited_passages(answer: str, passages: Sequence[Hit]) -> tuple[str, tuple[Citation, ...]]:
    """The answer with its sound citations renumbered 1, 2, … in order of appearance, and these citations.

    `passages[n - 1]` is what `[n]` in `answer` means. Marks of citations that do not hold are removed.
    """
    quotes: dict[int, list[str]] = {}
    parts: list[str] = []
    statement, end = "", 0
    for mark in MARK.finditer(answer):
        before = answer[end : mark.start()]
        end = mark.end()
        parts.append(before.rstrip())
        if before.strip():  # else another mark of the same statement
            statement = before
        at = int(mark[1])
        quote = _supporting_words(statement, passages[at - 1].text) if 1 <= at <= len(passages) else ""
        if not quote:
            continue
        quotes.setdefault(at, []).append(quote)
        parts.append(f" [{list(quotes).index(at) + 1}]")
    parts.append(answer[end:])
    citations = tuple(_citation(n, passages[at - 1], quotes[at]) for n, at in enumerate(quotes, start=1))
    return "".join(parts).strip(), citations


def _supporting_words(statement: str, passage: str) -> str:
    """The part of `passage` that holds `statement`, or the best-held sentence of it; empty when there is none."""
    said = _END_OF_LAST.sub("", statement, count=1).strip()
    sentences = [sentence for sentence in _SENTENCE.findall(said) if len(_words(sentence)) >= MIN_SENTENCE_WORDS]
    said_by_part = [said, *(sentence.strip() for sentence in sentences if sentence.strip() != said)]
    for part in said_by_part:
        if verbatim := _verbatim(part, passage):
            return verbatim
    best, best_share = "", 0.0
    for words in filter(None, map(_words, said_by_part)):
        for sentence, found in _sentences(passage):
            share = len(words & found) / len(words)
            if share > best_share:
                best, best_share = sentence, share
    return best if best_share >= MIN_OVERLAP else ""


def _verbatim(said: str, passage: str) -> str:
    """The words of `passage` that are `said`, whatever white space lies between them; empty when they are not there."""
    pieces = said.strip('"“”').split()
    if not _WORD.search(said) or sum(map(len, pieces)) > len(passage):
        return ""
    found = re.search(r"\s++".join(map(re.escape, pieces)), passage)
    return found[0] if found else ""


@lru_cache(maxsize=64)
def _sentences(passage: str) -> list[tuple[str, frozenset[str]]]:
    """Each sentence of a passage with its words. Remembered, because most statements cite the same few passages."""
    return [(sentence.strip(), _words(sentence)) for sentence in _SENTENCE.findall(passage)]


def _words(text: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _WORD.findall(text))


def _citation(n: int, hit: Hit, quotes: Sequence[str]) -> Citation:
    return Citation(
        n=n,
        chunk_id=hit.chunk_id,
        source=hit.source,
        uri=hit.uri,
        title=hit.title,
        quote=quotes[0],
        quotes=tuple(dict.fromkeys(quotes)),
        heading_path=tuple(hit.heading_path),
        page=hit.page,
    )
