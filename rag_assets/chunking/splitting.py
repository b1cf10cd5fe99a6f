"""Cuts one block that is too long for a chunk, at the best places its kind has."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from rag_assets.chunking.ruler import TokenRuler
from rag_assets.chunking.tokenizer import Tokenizer
from rag_assets.documents.model import Block, BlockKind

Range = tuple[int, int]

_BLANK_LINE = r"\n[ \t]*\n"
_LINE = r"\n"
_SENTENCE = r"[.!?…][\"'”’)\]]*\s+|[。！？][」』）”]*"
_CLAUSE = r"[;:,]\s+|[、，；：]"
_MARKER = r"(?:[-*+•◦]|\w{1,3}[.)])\s"
# Regular expressions, best first. Groups must not capture: the splitter wraps each one in a group of its own.
_PROSE = [_BLANK_LINE, _SENTENCE, _LINE, _CLAUSE]
_LIST = [rf"\n(?={_MARKER})", rf"\n(?=[ \t]+{_MARKER})", *_PROSE]
_SEPARATORS: dict[BlockKind, list[str]] = {"code": [_BLANK_LINE, _LINE], "table": [_LINE], "list": _LIST}
_LINE_START = re.compile(r"(?<=\n)")
_WORD_START = re.compile(r"(?<=\s)(?=\S)")


def split_block(block: Block, ruler: TokenRuler, tokenizer: Tokenizer, *, budget_tokens: int) -> list[Range]:
    """Ranges that cover `block` in order without a gap, each of about at most `budget_tokens` tokens, and of even size.

    Code and tables are cut between lines, lists between items, prose between sentences; a line or sentence that is too
    long between words, and a word that is too long between tokens.
    """
    total = ruler.count(block.start, block.end)
    pieces_least = -(-total // budget_tokens)
    target = min(budget_tokens, total * 11 // (pieces_least * 10) + 1)
    segments = _segments(block, ruler.text, tokenizer, target)
    return _join([cut for one in segments for cut in _cut_hard(one, ruler, target)], ruler, budget_tokens)


def overlap_start(block: Block, before: Range, ruler: TokenRuler, tokens: int) -> int:
    """Where the range after `before` starts when it repeats up to `tokens` tokens of it.

    That is at a line of code or a table, and at a word of anything else.
    """
    end = before[1]
    if not tokens:
        return end
    earliest = max(before[0], ruler.retreat(end, tokens))
    linewise = block.kind in ("code", "table")
    boundary = (_LINE_START if linewise else _WORD_START).search(ruler.text, earliest, end)
    if boundary:
        return boundary.start()
    return end if linewise else earliest


def _segments(block: Block, text: str, tokenizer: Tokenizer, target: int) -> Iterator[Range]:
    """LangChain's recursive splitting. Separators are kept and nothing is stripped, so lengths give the offsets."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(
        separators=_SEPARATORS.get(block.kind, _PROSE),
        is_separator_regex=True,
        keep_separator="end",
        strip_whitespace=False,
        chunk_size=target,
        chunk_overlap=0,
        length_function=functools.cache(tokenizer.count),
    )
    at = block.start
    for piece in splitter.split_text(text[block.start : block.end]):
        yield at, at + len(piece)
        at += len(piece)


def _cut_hard(segment: Range, ruler: TokenRuler, budget: int) -> Iterator[Range]:
    """`segment` whole where it fits, otherwise cut after a space, or at a token where there is none."""
    start, end = segment
    while ruler.count(start, end) > budget:
        limit = min(ruler.advance(start, budget), end - 1)
        middle = (start + limit) // 2 + 1
        space = max(ruler.text.rfind(character, middle, limit) for character in " \n\t")
        cut = space + 1 if space >= 0 else max(limit, start + 1)
        yield start, cut
        start = cut
    if start < end:
        yield start, end


def _join(ranges: list[Range], ruler: TokenRuler, budget: int) -> list[Range]:
    """Joins neighbours that fit together: the recursion leaves small ones around a segment that it had to go into."""
    joined = ranges[:1]
    for start, end in ranges[1:]:
        if ruler.count(joined[-1][0], end) <= budget:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
