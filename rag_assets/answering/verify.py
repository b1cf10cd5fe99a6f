"""Which passages an answer really stands on: every citation is checked against the words of its passage.

A model may cite a passage that does not hold the statement, or cite none. For each cited statement the sentence of the
passage that shares most of its words is quoted; a citation whose best sentence shares too little is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag_assets.answering.answer import Citation
from rag_assets.store import Hit

MARK = re.compile(r"\[(\d{1,3})\]")
MIN_OVERLAP = 0.5
"""Share of a statement's words that the quote must hold. Half: a paraphrase passes, another topic does not."""

_STATEMENT = re.compile(r"(?P<text>[^\[\]]*(?:\[(?!\d{1,3}\])[^\[\]]*)*)(?P<marks>(?:\s*\[\d{1,3}\])+)")
_SENTENCE = re.compile(r"\S.*?(?:[.!?:;](?=\s|$)|\n|$)", re.DOTALL)
_WORD = re.compile(r"\w+")


def cited_passages(answer: str, passages: Sequence[Hit]) -> tuple[str, tuple[Citation, ...]]:
    """The answer with its sound citations renumbered 1, 2, … in order of appearance, and these citations.

    `passages[n - 1]` is what `[n]` in `answer` means. Marks of citations that do not hold are removed.
    """
    numbers: dict[int, int] = {}
    citations: list[Citation] = []
    parts: list[str] = []
    end = 0
    for match in _STATEMENT.finditer(answer):
        parts.append((answer[end : match.start()] + match["text"]).rstrip())
        end = match.end()
        for mark in MARK.findall(match["marks"]):
            at = int(mark)
            quote = _supporting_words(match["text"], passages[at - 1].text) if 1 <= at <= len(passages) else ""
            if not quote:
                continue
            if at not in numbers:
                numbers[at] = len(numbers) + 1
                citations.append(_citation(numbers[at], passages[at - 1], quote))
            parts.append(f" [{numbers[at]}]")
    parts.append(answer[end:])
    return "".join(parts).strip(), tuple(citations)


def _supporting_words(statement: str, passage: str) -> str:
    """The part of `passage` that holds `statement`: the statement itself when it stands there, else a sentence."""
    said = statement.strip().strip('"“”').strip()
    if verbatim := _verbatim(said, passage):
        return verbatim
    words = {word.casefold() for word in _WORD.findall(said)}
    if not words:
        return ""
    best, best_share = "", 0.0
    for sentence in _SENTENCE.findall(passage):
        found = {word.casefold() for word in _WORD.findall(sentence)}
        share = len(words & found) / len(words)
        if share > best_share:
            best, best_share = sentence.strip(), share
    return best if best_share >= MIN_OVERLAP else ""


def _verbatim(said: str, passage: str) -> str:
    """The words of `passage` that are `said`, whatever white space lies between them; empty when they are not there."""
    words = said.split()
    found = re.search(r"\s+".join(map(re.escape, words)), passage) if words else None
    return found[0] if found else ""


def _citation(n: int, hit: Hit, quote: str) -> Citation:
    return Citation(
        n=n,
        chunk_id=hit.chunk_id,
        source=hit.source,
        uri=hit.uri,
        title=hit.title,
        quote=quote,
        heading_path=tuple(hit.heading_path),
        page=hit.page,
    )
