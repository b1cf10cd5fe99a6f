from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from io import BytesIO

import docx
import pytest

from rag_assets.documents.parsing import parse
from rag_assets.errors import ParseError
from rag_assets_tests.documents.invariants import check, outline


def test_headings_lists_tables_and_properties() -> None:
    source = docx.Document()
    source.core_properties.author = "A. Writer"
    source.core_properties.created = datetime(2024, 5, 6, 7, 8)
    source.add_heading("The Handbook", 0)
    source.add_paragraph("An introduction to the handbook and to what it is good for.")
    source.add_heading("Part one", 1)
    source.add_paragraph("first", style="List Bullet")
    source.add_paragraph("second", style="List Number")
    table = source.add_table(rows=2, cols=2)
    for position, text in enumerate(["Key", "Value", "a", "1"]):
        table.cell(position // 2, position % 2).text = text
    table.add_row().cells[0].merge(table.rows[2].cells[1]).text = "both"
    source.add_paragraph("")
    source.add_paragraph("A quotation.", style="Intense Quote")
    source.add_heading("Part two", 1)
    target = BytesIO()
    source.save(target)

    document = parse(target.getvalue(), "book.docx")
    check(document)
    assert (document.title, document.language) == ("The Handbook", "en")
    assert document.published_at == datetime(2024, 5, 6, 7, 8, tzinfo=UTC)
    assert document.metadata == {"author": "A. Writer"}
    assert outline(document) == [
        ("heading", "The Handbook"),
        ("paragraph", "An introduction to the handbook and to what it is good for."),
        ("heading", "Part one"),
        ("list", "- first"),
        ("list", "- second"),
        ("table", "Key | Value\na | 1\nboth"),
        ("quote", "A quotation."),
        ("heading", "Part two"),
    ]
    assert document.blocks[-1].heading_path == ("The Handbook", "Part two")


def archive(**members: bytes) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return target.getvalue()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\xd0\xcf\x11\xe0 an old or encrypted file", "not a readable Word file"),
        (archive(a=b"x"), "not a Word file"),
        (archive(**{"[Content_Types].xml": b"<x"}), "not a readable Word file"),
        (archive(a=b"\0" * 30_000_000), "unpacks to 30,000,000 bytes"),
    ],
)
def test_what_is_no_word_file_is_a_parse_error(data: bytes, problem: str) -> None:
    with pytest.raises(ParseError, match=problem):
        parse(data, "a.docx")


def test_entities_are_not_expanded() -> None:
    target = BytesIO()
    docx.Document().save(target)
    hostile = BytesIO()
    with zipfile.ZipFile(target) as source, zipfile.ZipFile(hostile, "w", zipfile.ZIP_DEFLATED) as file:
        for name in source.namelist():
            data = source.read(name)
            if name == "word/document.xml":
                bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
                data = data.replace(b"?>", b"?>" + bomb, 1).replace(
                    b"<w:body>", b"<w:body><w:p><w:r><w:t>x&a;&f;y</w:t></w:r></w:p>", 1
                )
            file.writestr(name, data)
    document = parse(hostile.getvalue(), "a.docx")
    check(document)
    assert "root:" not in document.text
    assert "aaaa" not in document.text
