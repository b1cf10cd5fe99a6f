"""Markdown and MDX. The text is the source as it stands; blocks are whole lines of it.

Each list item is a block of its own, so that a long list can be cut between items; a fence or a table is always one
block, inside a list or quote too. Comments, style sheets, MDX imports, lines of nothing but tags, and link definitions
are in the text but in no block.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

from rag_assets.documents.model import BlockKind
from rag_assets.documents.parsing import front_matter
from rag_assets.documents.parsing.decoding import decode
from rag_assets.documents.parsing.draft import Draft, DraftBuilder
from rag_assets.errors import ParseError

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.parser_block import RuleFuncBlockType
    from markdown_it.rules_block.state_block import StateBlock
    from markdown_it.token import Token

PARSER = "markdown@2"
MEDIA_TYPE = "text/markdown"
MAX_NESTING = 100
"""Levels of quotes and lists, of which a list counts twice. More than anybody writes; each costs recursion."""

_ATOMIC: dict[str, BlockKind] = {"fence": "code", "code_block": "code", "table_open": "table"}
_CONTAINERS: dict[str, BlockKind] = {"list_item_open": "list", "blockquote_open": "quote"}
_LEAVES = frozenset({"paragraph_open", "heading_open", "html_block", "hr"})
# What a line begins with where one of these rules applies; without it the rule itself says no, only later.
_FIRST_CHARACTERS = {
    "fence": frozenset("`~"),
    "blockquote": frozenset(">"),
    "hr": frozenset("*-_"),
    "list": frozenset("*+-0123456789"),
    "reference": frozenset("["),
    "html_block": frozenset("<"),
    "heading": frozenset("#"),
}
_INLINE_MARKUP = re.compile(r"[`*_\[\]<>&\\!~]")
# `## Title { #anchor .class }`, as Python-Markdown, Pandoc and Docusaurus write it.
_HEADING_ATTRIBUTES = re.compile(r"(?<!\s)\s*\{\s*[#.:][^{}\n]*\}\s*$")
# Python-Markdown indents what belongs to an admonition, a collapsed section or a tab by four spaces, which plain
# CommonMark reads as code.
_INDENTED_SECTIONS = re.compile(r"^(?:!!!|\?\?\?\+?|===\+?!?)[ \t]+\S", re.MULTILINE)
_MARKUP_ONLY = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)|\{/\*.*?(?:\*/\}|\Z)|</?[a-z][\w.-]*(?=[\s/>])[^<>]*>|<[!?][^>]*>",
    re.DOTALL | re.IGNORECASE,
)
_MDX_STATEMENT = re.compile(r"(?:import|export)\b")


def parse(data: bytes, uri: str) -> Draft:
    """The draft of a Markdown file. Raises `ParseError`."""
    text = decode(data, uri)
    head = front_matter.read(text)
    body = text[head.length :]
    builder = DraftBuilder(text)
    parser = _parser(bool(_INDENTED_SECTIONS.search(body)))
    starts = list(accumulate((len(line) + 1 for line in body.split("\n")), initial=head.length))
    tokens = parser.parse(body)
    if any(token.type in _CONTAINERS and token.level >= MAX_NESTING - 1 for token in tokens):
        # markdown-it passes over what such a quote or item holds, without a word.
        raise ParseError(
            f"{uri} has quotes and lists nested more than {MAX_NESTING} deep; its text would be lost.",
            fix="Flatten them, or exclude the file from its source.",
        )
    _Walk(parser, text, starts, builder, mdx=uri.lower().endswith(".mdx")).run(tokens)
    draft = builder.finish()
    draft.title = head.title or draft.title
    draft.language, draft.published_at, draft.metadata = head.language, head.published_at, head.metadata
    return draft


@cache
def _parser(indented_sections: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt

    # Inline markup is half of the work and only headings need it.
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable("table").disable("inline")
    for rule in list(parser.block.ruler.__rules__):  # every line is tried with every rule: a third of the time
        if rule.name in _FIRST_CHARACTERS:
            parser.block.ruler.at(rule.name, _where(_FIRST_CHARACTERS[rule.name], rule.fn), {"alt": rule.alt})
    return parser.disable("code") if indented_sections else parser


def _where(first: frozenset[str], rule: RuleFuncBlockType) -> RuleFuncBlockType:
    """`rule`, asked only where a line begins with one of the characters `first`."""

    def asked(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        at = state.bMarks[start] + state.tShift[start]
        return state.src[at : at + 1] in first and rule(state, start, end, silent)

    return asked


class _Walk:
    """Turns the flat stream of tokens into line ranges. `open_*` is a stretch of a list item or quote still growing."""

    def __init__(self, parser: MarkdownIt, text: str, starts: list[int], builder: DraftBuilder, *, mdx: bool) -> None:
        self.parser, self.text, self.starts, self.builder, self.mdx = parser, text, starts, builder, mdx
        self.open_kind: BlockKind = "list"
        self.open_lines: tuple[int, int] | None = None

    def run(self, tokens: list[Token]) -> None:
        kinds: list[BlockKind] = []
        for position, token in enumerate(tokens):
            name = token.type
            if token.map is None:
                if name in ("list_item_close", "blockquote_close"):
                    kinds.pop()
                    if not kinds:
                        self.flush()
                continue
            first, last = token.map
            if name in _CONTAINERS:
                # A list inside a quote stays part of the quote.
                kinds.append("quote" if "quote" in kinds else _CONTAINERS[name])
                self.flush()
                self.open_kind, self.open_lines = kinds[-1], (first, first)
            elif name in _ATOMIC:
                marker = self.open_lines
                self.flush()
                # `- ```python`: the item's marker stands on the first line of the fence.
                self.emit(_ATOMIC[name], marker[0] if marker and marker[0] == marker[1] else first, last)
            elif name in _LEAVES and kinds:
                if self.open_lines is None:
                    self.open_kind, self.open_lines = kinds[-1], (first, last)
                else:
                    self.open_lines = (self.open_lines[0], last)
            elif name == "heading_open":
                self.heading(int(token.tag[1:]), tokens[position + 1].content, first, last)
            elif name in ("paragraph_open", "html_block"):
                self.prose("paragraph" if name == "paragraph_open" else "other", first, last)

    def flush(self) -> None:
        if self.open_lines is not None and self.open_lines[1] > self.open_lines[0]:
            self.prose(self.open_kind, *self.open_lines)
        self.open_lines = None

    def prose(self, kind: BlockKind, first: int, last: int) -> None:
        text = self.text[self.starts[first] : self.starts[last]]
        if ("<" in text or "{/*" in text) and not _MARKUP_ONLY.sub("", text).strip():
            return
        if self.mdx and kind == "paragraph" and _MDX_STATEMENT.match(text):
            return
        self.emit(kind, first, last)

    def emit(self, kind: BlockKind, first: int, last: int) -> None:
        start, end = self.starts[first], self.starts[last]
        if kind != "code":
            end = start + len(self.text[start:end].rstrip())
            start = end - len(self.text[start:end].lstrip())
        self.builder.add_span(kind, start, end)

    def heading(self, level: int, content: str, first: int, last: int) -> None:
        start, end = self.starts[first], self.starts[last]
        source = self.text[start:end].rstrip()
        attributes = _HEADING_ATTRIBUTES.search(source) if level and "{" in source else None
        if attributes and "\n" not in source:
            end = start + attributes.start()
            content = _HEADING_ATTRIBUTES.sub("", content)
        start += len(source) - len(source.lstrip())
        self.builder.add_span("heading", start, end, heading=self.plain(content), level=level)

    def plain(self, content: str) -> str:
        if not _INLINE_MARKUP.search(content):
            return content
        tokens = _inline_parser().parseInline(content)[0].children or []
        return "".join(token.content if token.type != "softbreak" else " " for token in tokens if _is_text(token))


@cache
def _inline_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")


def _is_text(token: Token) -> bool:
    return token.type in ("text", "text_special", "code_inline", "softbreak", "image")
