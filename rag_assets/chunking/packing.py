"""Packs the blocks of a document into spans that fit the token limit by the ruler's count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from rag_assets.chunking.prefix import HeadingPrefixes
from rag_assets.chunking.ruler import TokenRuler
from rag_assets.chunking.sections import bundles, common_path, group_sections
from rag_assets.chunking.splitting import overlap_start, split_block
from rag_assets.chunking.tokenizer import Tokenizer
from rag_assets.documents.model import Block

# Below this share of the limit a section is small: too little to stand alone where a neighbour can take it.
SMALL_SHARE = 1 / 8
# The ruler can be off by a token or two at the ends of a block; so near the limit the block itself is counted.
_NEAR_TOKENS = 4
WHOLE = frozenset({"code", "table"})


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text that becomes a chunk, with the blocks it has a part of.

    `table_head` is the first row of the table that the span begins in the middle of, repeated in the input only;
    `repeated` is how many characters at the start are overlap.
    """

    start: int
    end: int
    blocks: tuple[Block, ...]
    table_head: str = ""
    repeated: int = 0

    @property
    def prefix_path(self) -> tuple[tuple[str, ...], str]:
        """The heading path to put in front, and the heading that the text itself begins with ("" for none)."""
        first = self.blocks[0]
        if first.kind == "heading" and first.start >= self.start and first.heading_path:
            return first.heading_path[:-1], first.heading_path[-1]
        return common_path(self.blocks), ""


class Packer:
    """Packs one document. `limit_tokens` is for prefix and text together, special tokens left out."""

    def __init__(
        self,
        ruler: TokenRuler,
        prefixes: HeadingPrefixes,
        tokenizer: Tokenizer,
        *,
        limit_tokens: int,
        overlap_tokens: int,
    ) -> None:
        self._ruler = ruler
        self._prefixes = prefixes
        self._tokenizer = tokenizer
        self._limit = limit_tokens
        self._overlap = overlap_tokens
        self._small = int(limit_tokens * SMALL_SHARE)

    def pack(self, blocks: Sequence[Block]) -> list[Span]:
        """The spans of `blocks` in order; together they cover every block. None has text of two pages."""
        return [span for page in _pages(blocks) for span in self._pack_page(page)]

    def _pack_page(self, blocks: Sequence[Block]) -> list[Span]:
        groups = group_sections(blocks, self._measure, self._fit_together, small_tokens=self._small)
        return [span for group in groups for span in self._pack_bundles(bundles(group, self._is_introduction))]

    def _measure(self, first: Block, last: Block) -> int:
        return self._ruler.count(first.start, last.end)

    def _fit_together(self, first: Block, last: Block) -> bool:
        return self._fits(Span(first.start, last.end, (first, last)))

    def _fits(self, span: Span) -> bool:
        tokens = self._ruler.count(span.start, span.end)
        return tokens <= self._limit and tokens + self._lead_tokens(span) <= self._limit

    def _fits_bare(self, span: Span) -> bool:
        """Whether the text fits when the prefix gives way to it."""
        tokens = self._ruler.count(span.start, span.end)
        if not self._limit < tokens <= self._limit + _NEAR_TOKENS:
            return tokens <= self._limit
        text = self._ruler.text[span.start : span.end].strip("\n").rstrip()
        return self._tokenizer.count(text) <= self._limit

    def _lead_tokens(self, span: Span) -> int:
        head = self._tokenizer.count(span.table_head) if span.table_head else 0
        return head + self._prefixes.fit(*span.prefix_path)[1]

    def _is_introduction(self, block: Block) -> bool:
        ends_with_colon = self._ruler.text[block.end - 1] in ":："
        return ends_with_colon and self._measure(block, block) <= 2 * self._small

    def _pack_bundles(self, parts: Iterable[Sequence[Block]]) -> list[Span]:
        """Greedy: a bundle goes into the span before it where it fits as a whole, else it begins a new one."""
        spans: list[Span] = []
        for bundle in parts:
            if spans:
                last = spans[-1]
                longer = Span(last.start, bundle[-1].end, (*last.blocks, *bundle), last.table_head, last.repeated)
                if self._fits(longer):
                    spans[-1] = longer
                    continue
            spans += self._place(bundle)
        return spans

    def _place(self, bundle: Sequence[Block]) -> list[Span]:
        """The spans of a bundle that begins a new span."""
        lead, body = bundle[:-1], bundle[-1]
        whole = Span(bundle[0].start, body.end, tuple(bundle))
        if self._fits(whole) or (body.kind in WHOLE and self._fits_bare(whole)):
            return [whole]
        if lead:
            alone = Span(body.start, body.end, (body,))
            if body.kind in WHOLE and self._fits_bare(alone):
                return [*self._place_lead(lead), alone]
            # The stretch up to the body may be long without a long lead: a comment that is in no block, say.
            if self._ruler.count(lead[0].start, body.start) > self._limit // 2:
                return [*self._place_lead(lead), *self._place([body])]
        return self._split(lead, body)

    def _place_lead(self, lead: Sequence[Block]) -> list[Span]:
        return self._pack_bundles([block] for block in lead)

    def _split(self, lead: Sequence[Block], body: Block) -> list[Span]:
        """Pieces of `body`, the first one with the lead in front of it."""
        head = self._table_head(body)
        later = Span(body.start, body.end, (body,), head)
        reserved = self._lead_tokens(later) + (self._ruler.count(lead[0].start, body.start) if lead else 0)
        budget = max(self._limit - reserved, self._limit // 4, 1)
        overlap = min(self._overlap, budget // 2)
        ranges = split_block(body, self._ruler, self._tokenizer, budget_tokens=budget - overlap)
        spans = [Span(lead[0].start if lead else body.start, ranges[0][1], (*lead, body))]
        for before, (fresh, end) in pairwise(ranges):
            start = overlap_start(body, before, self._ruler, overlap)
            spans.append(replace(later, start=start, end=end, repeated=fresh - start))
        return spans

    def _table_head(self, block: Block) -> str:
        """The first row of a table with letters or digits in it, where it leaves room: prefixes get a third at most."""
        if block.kind != "table":
            return ""
        text = self._ruler.text
        rows = text[block.start : block.end].splitlines()
        row = next((row.strip() for row in rows if any(map(str.isalnum, row))), "")
        room = self._prefixes.budget_tokens - self._prefixes.fit(block.heading_path)[1]
        return f"{row}\n" if row and self._tokenizer.count(f"{row}\n") <= room else ""


def _pages(blocks: Sequence[Block]) -> list[list[Block]]:
    """The blocks by page, so that a citation names the page of its words; a heading at the end goes to the next."""
    pages: list[list[Block]] = []
    for _, group in groupby(blocks, key=lambda block: block.page):
        page = list(group)
        while pages and pages[-1] and pages[-1][-1].kind == "heading":
            page.insert(0, pages[-1].pop())
        pages.append(page)
    return [page for page in pages if page]
