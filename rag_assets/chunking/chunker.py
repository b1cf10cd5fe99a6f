"""From a document to its chunks: packed by estimate, then each chunk's input counted exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from rag_assets.chunking.model import Chunk
from rag_assets.chunking.packing import WHOLE, Packer, Span
from rag_assets.chunking.prefix import HeadingPrefixes
from rag_assets.chunking.ruler import TokenRuler
from rag_assets.chunking.sections import common_path
from rag_assets.chunking.tokenizer import Tokenizer
from rag_assets.config import ChunkingSettings
from rag_assets.documents.model import Document
from rag_assets.errors import ChunkError

# The version of the chunker, part of a generation: raise it with every change that moves a chunk.
CHUNKER = "blocks@1"
PREFIX_SHARE_MAX = 1 / 3
_BLANK_LINES = re.compile(r"(?:[^\S\n]*\n)*")


def chunk_document(
    document: Document, settings: ChunkingSettings, tokenizer: Tokenizer, *, max_input_tokens: int
) -> list[Chunk]:
    """The chunks of `document`, in order. A pure function of its arguments.

    `token_count` is at most `settings.max_tokens` and `max_input_tokens`; every character of every block that is not
    white space is in a chunk; code and tables that fit a chunk are whole; a heading is with what follows it. Raises
    `ChunkError` when the limit leaves no room for a single character.
    """
    most = min(settings.max_tokens, max_input_tokens)
    limit = most - tokenizer.special_tokens
    if limit < 1:
        raise ChunkError(
            f"{document.title!r}: a limit of {most} tokens leaves no room for text.",
            fix="Raise chunking.max_tokens or use an embedding model that reads more.",
        )
    prefixes = HeadingPrefixes(
        document.title, tokenizer, budget_tokens=int(most * PREFIX_SHARE_MAX), enabled=settings.heading_prefix
    )
    ruler = TokenRuler(document.text, tokenizer)
    packer = Packer(ruler, prefixes, tokenizer, limit_tokens=limit, overlap_tokens=settings.overlap_tokens)
    finisher = _Finisher(document, prefixes, tokenizer, limit)
    found = [chunk for span in packer.pack(document.blocks) for chunk in finisher.finish(span)]
    return [
        Chunk(
            ordinal,
            document.text[span.start : span.end],
            span.start,
            span.end,
            common_path(span.blocks),
            next((block.page for block in span.blocks if block.kind != "heading"), span.blocks[0].page),
            input_text,
            tokens + tokenizer.special_tokens,
        )
        for ordinal, (span, input_text, tokens) in enumerate(found)
    ]


class _Finisher:
    """Turns spans into inputs whose exact count is within the limit."""

    def __init__(self, document: Document, prefixes: HeadingPrefixes, tokenizer: Tokenizer, limit_tokens: int) -> None:
        self._document = document
        self._prefixes = prefixes
        self._tokenizer = tokenizer
        self._limit = limit_tokens

    def finish(self, span: Span) -> Iterator[tuple[Span, str, int]]:
        """The span, its input and the input's exact tokens; several where the estimate was too low.

        What exceeds the limit is taken from the prefix, then from what is repeated, and only then from the text.
        """
        span = self._trim(span)
        if span.end <= span.start + span.repeated:
            return
        text = self._document.text[span.start : span.end]
        head, room = span.table_head, self._prefixes.budget_tokens
        while True:
            prefix, prefix_tokens = self._prefixes.fit(*span.prefix_path, room)
            input_text = prefix + head + text
            tokens = self._tokenizer.count(input_text)
            if tokens <= self._limit:
                yield span, input_text, tokens
                return
            if prefix:
                room = prefix_tokens - (tokens - self._limit)
            elif head:
                head = ""
            else:
                break
        parts = (_without_overlap(span),) if span.repeated else self._divide(span)
        for part in parts:
            yield from self.finish(part)

    def _trim(self, span: Span) -> Span:
        """Without blank lines around it; the indentation of the first line stays."""
        blank = _BLANK_LINES.match(self._document.text, span.start, span.end)
        start = blank.end() if blank else span.start
        end = start + len(self._document.text[start : span.end].rstrip())
        if (start, end) == (span.start, span.end):
            return span
        return replace(span, start=start, end=end, repeated=max(0, span.repeated - (start - span.start)))

    def _divide(self, span: Span) -> tuple[Span, Span]:
        """Two parts: between two blocks where that leaves each heading with its text, else within a block.

        A heading is only parted from code or a table, which would be cut otherwise.
        """
        blocks = span.blocks
        between = [at for at in range(len(blocks) - 1, 0, -1) if blocks[at - 1].kind != "heading"]
        if not between and len(blocks) > 1 and blocks[-1].kind in WHOLE:
            between = [len(blocks) - 1]
        if between:
            at = between[0]
            before = replace(span, end=blocks[at - 1].end, blocks=blocks[:at])
            return before, Span(blocks[at].start, span.end, blocks[at:])
        length = span.end - span.start
        if length < 2:
            raise ChunkError(
                f"{self._document.title!r}: the character at {span.start} alone is more than {self._limit} tokens.",
                fix="Raise chunking.max_tokens or use an embedding model that reads more.",
            )
        middle, quarter = span.start + length // 2, span.start + length // 4
        found = max(self._document.text.rfind(mark, quarter, middle) for mark in "\n ")
        cut = found + 1 if found >= 0 else middle
        return _part(span, span.start, cut), _part(span, cut, span.end)


def _part(span: Span, start: int, end: int) -> Span:
    """What `span` has between two offsets; empty where that is text of no block."""
    blocks = tuple(block for block in span.blocks if block.start < end and block.end > start)
    if not blocks:
        return replace(span, end=span.start)
    return replace(span, start=max(start, blocks[0].start), end=min(end, blocks[-1].end), blocks=blocks)


def _without_overlap(span: Span) -> Span:
    return replace(span, start=span.start + span.repeated, repeated=0)
