"""Builds the Word and PDF files of examples/playbooks from the Markdown in examples/document_sources.

Run it after an edit of a source and commit both: `python examples/build_documents.py [OUTPUT_FOLDER]`. The same source
gives the same bytes: every time inside the files is the date that the source states.
"""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

HERE = Path(__file__).parent
SOURCES = HERE / "document_sources"
OUTPUT = HERE / "playbooks"


@dataclass(frozen=True)
class Part:
    """A piece of a document. `lines` holds a text, the items of a list, or the lines of a listing."""

    kind: str  # title, heading, paragraph, bullets, numbers, code, table
    lines: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Source:
    """A source file: the lines between the dashes, and what follows."""

    name: str
    format: str
    author: str
    date: datetime
    parts: tuple[Part, ...]

    @property
    def title(self) -> str:
        return self.parts[0].lines[0]


def read_source(file: Path) -> Source:
    _, head, body = file.read_text("utf-8").split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    date = datetime.strptime(fields["date"], "%Y-%m-%d").replace(tzinfo=UTC)
    return Source(file.stem, fields["format"], fields["author"], date, tuple(_parts(body)))


def _parts(markdown: str) -> Iterator[Part]:
    for node in SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(markdown)).children:
        if node.type == "heading":
            yield Part("title" if node.tag == "h1" else "heading", (_text(node),))
        elif node.type == "paragraph":
            yield Part("paragraph", (_text(node),))
        elif node.type in ("bullet_list", "ordered_list"):
            kind = "bullets" if node.type == "bullet_list" else "numbers"
            yield Part(kind, tuple(_text(item) for item in node.children))
        elif node.type == "code_block":
            yield Part("code", tuple(node.content.strip("\n").splitlines()))
        elif node.type == "table":
            rows = [row for section in node.children for row in section.children]
            yield Part("table", rows=tuple(tuple(_text(cell) for cell in row.children) for row in rows))
        else:
            raise ValueError(f"the builder has no form for {node.type}")


def _text(node: SyntaxTreeNode) -> str:
    inline = [each for each in node.walk() if each.type == "inline"]
    return " ".join(each.content.replace("\n", " ").replace("`", "") for each in inline)


def build_docx(source: Source) -> bytes:
    import docx

    document = docx.Document()
    properties = document.core_properties
    properties.title, properties.author, properties.language = source.title, source.author, "en"
    properties.created = properties.modified = source.date.replace(tzinfo=None)
    properties.last_modified_by, properties.comments = source.author, ""
    for part in source.parts:
        if part.kind in ("title", "heading"):
            document.add_heading(part.lines[0], level=0 if part.kind == "title" else 1)
        elif part.kind == "table":
            table = document.add_table(rows=0, cols=len(part.rows[0]), style="Table Grid")
            for row in part.rows:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
        else:
            style = {"bullets": "List Bullet", "numbers": "List Number", "code": "No Spacing"}.get(part.kind)
            for line in part.lines:
                document.add_paragraph(line, style=style)
    out = BytesIO()
    document.save(out)
    return _with_fixed_times(out.getvalue(), source.date)


def _with_fixed_times(archive: bytes, moment: datetime) -> bytes:
    """The same archive with `moment` as the time of every member; python-docx writes the time of day."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(archive)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            member = zipfile.ZipInfo(name, moment.timetuple()[:6])
            member.create_system = 3  # the same on every operating system
            new.writestr(member, old.read(name), zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def build_pdf(source: Source) -> bytes:
    # reportlab takes its dates from this variable, as other tools for reproducible files do.
    os.environ["SOURCE_DATE_EPOCH"] = str(int(source.date.timestamp()))
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import cm
    from reportlab.platypus import SimpleDocTemplate

    out = BytesIO()
    margins = {"leftMargin": 2.5 * cm, "rightMargin": 2.5 * cm, "topMargin": 2.5 * cm, "bottomMargin": 2.5 * cm}
    about = {"title": source.title, "author": source.author, "subject": "Playbook", "creator": Path(__file__).name}
    template = SimpleDocTemplate(out, pagesize=A4, lang="en", invariant=1, **about, **margins)
    flow: list[Any] = []
    for part in source.parts:
        flow += _flowables(part)
    template.build(flow, onFirstPage=_number_page, onLaterPages=_number_page)
    return out.getvalue()


def _flowables(part: Part) -> list[Any]:
    from xml.sax.saxutils import escape

    from reportlab.lib import colors
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import ListFlowable, ListItem, Paragraph, Preformatted, Spacer, Table

    styles = getSampleStyleSheet()
    body, space = styles["BodyText"], Spacer(1, 6)
    if part.kind in ("title", "heading", "paragraph"):
        style = {"title": styles["Title"], "heading": styles["Heading2"]}.get(part.kind, body)
        return [Paragraph(escape(part.lines[0]), style)]
    if part.kind == "code":
        return [Preformatted("\n".join(part.lines), styles["Code"]), space]
    if part.kind == "table":
        cells = [[Paragraph(escape(text), body) for text in row] for row in part.rows]
        grid = [("GRID", (0, 0), (-1, -1), 0.5, colors.grey), ("VALIGN", (0, 0), (-1, -1), "TOP")]
        return [space, Table(cells, style=grid, repeatRows=1), space]
    items = [ListItem(Paragraph(escape(line), body)) for line in part.lines]
    if part.kind == "bullets":
        return [ListFlowable(items, bulletType="bullet", start="-"), space]
    return [ListFlowable(items, bulletType="1", bulletFormat="%s.", bulletFontSize=body.fontSize), space]


def _number_page(canvas: Any, _: Any) -> None:
    canvas.setFont("Helvetica", 9)
    canvas.drawCentredString(canvas._pagesize[0] / 2, 36, str(canvas.getPageNumber()))


def build_all(output: Path) -> list[Path]:
    """Writes every document into `output`, and returns the files."""
    written = []
    for file in sorted(SOURCES.glob("*.md")):
        source = read_source(file)
        builder = {"docx": build_docx, "pdf": build_pdf}[source.format]
        target = output / f"{source.name}.{source.format}"
        target.write_bytes(builder(source))
        written.append(target)
    return written


if __name__ == "__main__":
    for path in build_all(Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT):
        print(path)
