"""Word files by python-docx: headings by style, lists by numbering, tables as rows of cells, in the body's order."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING

from rag_assets.documents.model import BlockKind
from rag_assets.documents.parsing.draft import Draft, DraftBuilder, metadata_of, one_line, to_utc
from rag_assets.documents.parsing.quiet import quiet
from rag_assets.errors import ParseError

if TYPE_CHECKING:
    from docx.document import Document
    from docx.table import Table
    from docx.text.paragraph import Paragraph

PARSER = "docx@1"
MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

# A file that unpacks to more than this is made to fill memory, or is no text document.
MAX_UNPACKED_BYTES = 500_000_000
MAX_RATIO = 250
RATIO_COUNTS_ABOVE_BYTES = 20_000_000

_HEADING = re.compile(r"heading ([1-9])\b", re.IGNORECASE)
_QUOTE = re.compile(r"quote\b", re.IGNORECASE)
_CODE = re.compile(r"\b(?:code|preformatted|source|macro)", re.IGNORECASE)


def parse(data: bytes, uri: str) -> Draft:
    """The draft of a Word file. Raises `ParseError`."""
    _check_archive(data, uri)
    with quiet():
        document = _open(data, uri)
        writer = _Writer(*_style_names(document))
        for element in document.iter_inner_content():
            if hasattr(element, "rows"):
                writer.table(element)
            else:
                writer.paragraph(element)
        draft = writer.finish()
        properties = document.core_properties
        title = one_line(properties.title or "")
        draft.title = writer.title or draft.title or title or None
        draft.published_at = to_utc(properties.created)
        draft.metadata = metadata_of(
            {"author": properties.author, "subject": properties.subject, "keywords": properties.keywords}
        )
    return draft


def _check_archive(data: bytes, uri: str) -> None:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        raise ParseError(
            f"{uri} is not a readable Word file.", fix="Save it as .docx, without a password, or exclude it."
        ) from None
    if unpacked > MAX_UNPACKED_BYTES or unpacked > max(RATIO_COUNTS_ABOVE_BYTES, MAX_RATIO * len(data)):
        raise ParseError(f"{uri} unpacks to {unpacked:,} bytes, too much for a text document.", fix="Exclude it.")
    if "[Content_Types].xml" not in names:
        raise ParseError(f"{uri} is an archive, but not a Word file.", fix="Give it its real suffix, or exclude it.")


def _open(data: bytes, uri: str) -> Document:
    import docx
    from docx.opc.exceptions import OpcError

    try:
        return docx.Document(BytesIO(data))
    except (OpcError, KeyError, ValueError, SyntaxError, zipfile.BadZipFile) as error:
        # SyntaxError is the base of lxml's errors about XML that is not well formed.
        raise ParseError(f"{uri} is not a readable Word file ({type(error).__name__}).", fix="Save it again.") from None


def _style_names(document: Document) -> tuple[dict[str, str], str]:
    """The names of the paragraph styles by their ids, and the name of the default one.

    python-docx goes through all styles for each paragraph that it is asked the style of, which took longer than all
    the rest.
    """
    from docx.oxml.ns import qn

    names, default = {}, ""
    for style in document.styles.element.iterchildren(qn("w:style")):
        if style.get(qn("w:type"), "paragraph") != "paragraph":
            continue
        name = style.find(qn("w:name"))
        named = "" if name is None else name.get(qn("w:val"), "")
        names[style.get(qn("w:styleId"), "")] = named
        if style.get(qn("w:default")) in ("1", "true", "on"):
            default = named
    return names, default


class _Writer:
    """Writes the body's elements as blocks. `title` is the first paragraph in the style "Title"."""

    def __init__(self, styles: Mapping[str, str], default_style: str) -> None:
        self.builder = DraftBuilder()
        self.title: str | None = None
        self.code: list[str] = []
        self.styles = styles
        self.default_style = default_style

    def paragraph(self, paragraph: Paragraph) -> None:
        text = paragraph.text
        style = self.styles.get(paragraph._p.style or "", self.default_style)
        if _CODE.search(style):
            # A listing is one paragraph per line.
            self.code.append(text)
            return
        self.flush_code()
        heading = _HEADING.match(style)
        if style == "Title" and text.strip():
            self.title = self.title or one_line(text)
            self.builder.add_text("heading", one_line(text), level=1)
        elif heading:
            # Below a "Title" the headings of level 1 are its parts.
            level = int(heading[1]) + (1 if self.title else 0)
            self.builder.add_text("heading", one_line(text), level=min(level, 6))
        else:
            kind = self._kind(paragraph, style)
            marker = "- " if kind == "list" and text.strip() else ""
            self.builder.add_text(kind, marker + text)

    @staticmethod
    def _kind(paragraph: Paragraph, style: str) -> BlockKind:
        properties = paragraph._p.pPr
        if style.startswith("List") or (properties is not None and properties.numPr is not None):
            return "list"
        return "quote" if _QUOTE.search(style) else "paragraph"

    def table(self, table: Table) -> None:
        self.flush_code()
        rows = []
        for row in table.rows:
            cells: list[str] = []
            previous = None
            for cell in row.cells:
                # A merged cell is given once for each column it spans.
                if cell._tc is not previous:
                    cells.append(one_line(cell.text))
                previous = cell._tc
            if any(cells):
                rows.append(" | ".join(cells))
        self.builder.add_text("table", "\n".join(rows))

    def flush_code(self) -> None:
        self.builder.add_text("code", "\n".join(self.code))
        self.code = []

    def finish(self) -> Draft:
        self.flush_code()
        return self.builder.finish()
