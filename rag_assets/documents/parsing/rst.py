"""reStructuredText by docutils. The text is written anew from the document tree: roles, references and substitutions
read as the words they stand for, and each list item is a block of its own.

Files are neither included nor is raw output passed on. Directives and roles that only Sphinx knows are read for their
words (`rst_repair`). An RFC 822 header, as Python Enhancement Proposals have, gives title and date.
"""

from __future__ import annotations

import copy
import re
from functools import cache
from io import StringIO
from itertools import count
from typing import TYPE_CHECKING, Any

from rag_assets.documents.model import BlockKind
from rag_assets.documents.parsing.decoding import decode
from rag_assets.documents.parsing.draft import Draft, DraftBuilder, metadata_of, one_line, to_utc
from rag_assets.documents.parsing.quiet import quiet
from rag_assets.documents.parsing.rst_repair import plain_role, recover
from rag_assets.errors import ParseError

if TYPE_CHECKING:
    from docutils import nodes

PARSER = "rst@1"
MEDIA_TYPE = "text/x-rst"

MAX_LINE_CHARACTERS = 1_000_000
MAX_REPAIR_DEPTH = 5
_HEADER = re.compile(r"\A(?:[A-Z][A-Za-z-]*:(?:[ \t].*)?\n(?:[ \t]+\S.*\n)*){2,}(?=\s*\n|\Z)")
_HEADER_FIELD = re.compile(r"^([A-Z][A-Za-z-]*):[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE)
# The directive inserts today's date, which would make the text depend on when it is read.
_TODAY = re.compile(r"^\.\.[ \t]+\|[^|\n]+\|[ \t]+date::.*$", re.MULTILINE)


def parse(data: bytes, uri: str) -> Draft:
    """The draft of a reStructuredText file. Raises `ParseError`."""
    text = decode(data, uri)
    if any(len(line) > MAX_LINE_CHARACTERS for line in text.split("\n")):
        raise ParseError(f"{uri} has a line of more than {MAX_LINE_CHARACTERS:,} characters.", fix="Break the line.")
    builder = DraftBuilder()
    header = _HEADER.match(text)
    fields = {name: one_line(value) for name, value in _HEADER_FIELD.findall(header[0])} if header else {}
    if header and "Title" in fields:
        builder.add_text("other", "\n".join(f"{name}: {value}" for name, value in fields.items() if value))
        text = text[header.end() :]
    else:
        fields = {}
    with quiet("docutils"):
        writer = _Writer(builder)
        writer.children(_tree(text), level=0)
    draft = builder.finish()
    if fields:
        number = fields.get("PEP")
        draft.title = f"PEP {number}: {fields['Title']}" if number else fields["Title"]
    fields = fields or writer.fields
    draft.metadata = metadata_of({name.lower(): value for name, value in fields.items() if name != "Title"})
    draft.published_at = to_utc(draft.metadata.get("created") or draft.metadata.get("date") or "")
    return draft


def _tree(text: str) -> nodes.document:
    from docutils.parsers.rst import Parser, roles
    from docutils.utils import new_document

    document = new_document("document", copy.copy(_settings()))
    # `.. role::` registers its role for the whole process; documents must not see one another's.
    registered: dict[str, Any] = vars(roles)["_roles"]
    before = dict(registered)
    try:
        Parser().parse(_TODAY.sub("", text), document)
    finally:
        registered.clear()
        registered.update(before)
    return document


@cache
def _settings() -> Any:
    from docutils.frontend import get_default_settings
    from docutils.parsers.rst import Parser

    settings = get_default_settings(Parser)
    settings.file_insertion_enabled = False
    settings.raw_enabled = False
    settings.report_level = settings.halt_level = 5
    settings.warning_stream = StringIO()
    settings.syntax_highlight = "none"
    settings.line_length_limit = MAX_LINE_CHARACTERS
    return settings


class _Writer:
    """Writes a document tree as blocks. `fields` is the first field list (`:Author: …`) at the top of the document."""

    def __init__(self, builder: DraftBuilder) -> None:
        from docutils import nodes

        self.nodes = nodes
        self.builder = builder
        self.fields: dict[str, str] = {}
        self.substitutions: dict[str, nodes.substitution_definition] = {}
        self.repair_depth = 0

    def children(self, parent: nodes.Element, *, level: int, kind: BlockKind = "paragraph", lead: str = "") -> None:
        """Writes what `parent` holds; its paragraphs become blocks of `kind`, the first of them preceded by `lead`."""
        nodes = self.nodes
        if isinstance(parent, nodes.document):
            self.substitutions = dict(parent.substitution_defs)
        for child in parent.children:
            if isinstance(child, nodes.section):
                self.children(child, level=level + 1)
            elif isinstance(child, nodes.title):
                if isinstance(parent, nodes.section):
                    self.builder.add_text("heading", one_line(self.inline(child)), level=min(level, 6))
            elif isinstance(child, nodes.paragraph | nodes.rubric | nodes.caption | nodes.attribution):
                self.builder.add_text(kind, lead + one_line(self.inline(child)))
                lead = ""
            elif isinstance(child, nodes.literal_block | nodes.doctest_block | nodes.math_block):
                self.builder.add_text("code", child.astext())
            elif isinstance(child, nodes.system_message):
                self.repair(child, level, kind)
            elif isinstance(child, nodes.Element):
                lead = self.compound(child, level, kind, lead)

    def compound(self, node: nodes.Element, level: int, kind: BlockKind, lead: str) -> str:
        """Writes a node that holds others; returns the lead that is still to be written."""
        nodes = self.nodes
        match node:
            case nodes.bullet_list():
                for item in node.children:
                    self.item(item, level, "- ")
            case nodes.enumerated_list():
                for number, item in zip(count(node.get("start", 1)), node.children, strict=False):
                    self.item(item, level, f"{number}. ")
            case nodes.definition_list_item() | nodes.field() | nodes.option_list_item():
                self.labelled(node, level)
            case nodes.definition_list() | nodes.field_list() | nodes.option_list():
                self.children(node, level=level, kind="list")
            case nodes.footnote() | nodes.citation():
                labels = (child.astext() for child in node.children if isinstance(child, nodes.label))
                label = next(labels, "") or "".join(node["names"][:1])
                self.children(node, level=level, kind="list", lead=f"[{label}] " if label else "")
            case nodes.table():
                self.table(node)
            case nodes.line_block():
                self.builder.add_text(kind, lead + "\n".join(self.lines(node)))
                return ""
            case nodes.block_quote():
                self.children(node, level=level, kind="quote")
            case nodes.Admonition() | nodes.topic() | nodes.sidebar():
                titles = [self.inline(child) for child in node.children if isinstance(child, nodes.title)]
                name = one_line(titles[0]) if titles else node.tagname.capitalize()
                self.children(node, level=level, lead=f"{name}: ")
            case nodes.image():
                self.builder.add_text(kind, str(node.get("alt", "")))
            case nodes.Invisible() | nodes.label() | nodes.raw() | nodes.transition():
                pass
            case _:
                self.children(node, level=level, kind=kind, lead=lead)
        return lead

    def item(self, node: nodes.Node, level: int, marker: str) -> None:
        """Writes a list item; what it holds besides paragraphs follows as blocks of its own."""
        if isinstance(node, self.nodes.Element):
            self.children(node, level=level, kind="list", lead=marker)

    def labelled(self, node: nodes.Element, level: int) -> None:
        """Writes a term, field or option with its explanation."""
        nodes = self.nodes
        bodies = (nodes.definition, nodes.field_body, nodes.description)
        labels = [one_line(self.inline(part)) for part in node.children if not isinstance(part, bodies)]
        label = " ".join(part for part in labels if part)
        body = next((part for part in node.children if isinstance(part, bodies)), None)
        if isinstance(node, nodes.field) and len(self.fields) < 50 and body is not None:
            self.fields.setdefault(label, one_line(self.inline(body)))
        if body is None or not body.children:
            self.builder.add_text("list", label)
        else:
            self.children(body, level=level, kind="list", lead=f"{label}: ")

    def table(self, node: nodes.Element) -> None:
        nodes = self.nodes
        rows = [self.inline(child) for child in node.children if isinstance(child, nodes.title)]
        for row in node.findall(nodes.row):
            rows.append(" | ".join(one_line(self.inline(cell, " ")) for cell in row.children))
        self.builder.add_text("table", "\n".join(rows))

    def lines(self, node: nodes.Element) -> list[str]:
        lines: list[str] = []
        for child in node.children:
            if isinstance(child, self.nodes.line_block):
                lines.extend(self.lines(child))
            else:
                lines.append(one_line(self.inline(child)))
        return lines

    def inline(self, node: nodes.Node, separator: str = "") -> str:
        """The words of a node, as a reader would see them."""
        nodes = self.nodes
        match node:
            case nodes.Text():
                return str(node.astext())
            case nodes.problematic():
                return plain_role(node.astext())
            case nodes.substitution_reference():
                return str(self.substitutions.get(node.get("refname", ""), node).astext())
            case nodes.footnote_reference() | nodes.citation_reference():
                # A reference that docutils would number (`[#name]_`) goes by its name.
                label = node.astext() or node.get("refname", "")
                return f"[{label}]" if label else ""
            case nodes.image():
                return str(node.get("alt", ""))
            case nodes.system_message() | nodes.Invisible() | nodes.raw():
                return ""
        return separator.join(self.inline(child, separator) for child in node.children)

    def repair(self, message: nodes.system_message, level: int, kind: BlockKind) -> None:
        """Writes the words of a passage that docutils reports instead of understanding."""
        found = recover(message)
        if found is None:
            return
        if found.markup and self.repair_depth < MAX_REPAIR_DEPTH:
            self.repair_depth += 1
            outer = self.substitutions
            self.children(_tree(found.text), level=level, kind=kind)
            self.substitutions = outer
            self.repair_depth -= 1
        else:
            self.builder.add_text(found.kind, found.text)
