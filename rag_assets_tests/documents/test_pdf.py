from __future__ import annotations

from io import BytesIO

import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, SimpleDocTemplate, Spacer
from reportlab.platypus import Paragraph as Flowable

from rag_assets.documents.parsing import parse
from rag_assets.errors import ParseError
from rag_assets_tests.corpora import corpus
from rag_assets_tests.documents.invariants import check, outline

SENTENCES = "The reader quotes what it finds and says where it stands. " * 5


def build(*parts: object, **settings: object) -> bytes:
    target = BytesIO()

    def footer(canvas: Canvas, template: SimpleDocTemplate) -> None:
        canvas.drawString(200, 20, f"Internal use - page {template.page}")

    template = SimpleDocTemplate(target, invariant=1, **settings)
    template.build(list(parts), onFirstPage=footer, onLaterPages=footer)
    return target.getvalue()


def styled(text: str, style: str = "BodyText") -> Flowable:
    return Flowable(text, getSampleStyleSheet()[style])


def test_pages_headings_paragraphs_and_no_footers() -> None:
    data = build(
        styled("The Manual", "Title"),
        styled("First part", "Heading1"),
        styled(SENTENCES),
        styled("It was a care-<br/>ful start.<br/>"),
        PageBreak(),
        styled("Details", "Heading2"),
        styled(SENTENCES),
        Spacer(1, 20),
        styled("1. first item"),
        styled("2. second item"),
        title="Handbook of everything",
        author="A. Writer",
    )
    document = parse(data, "manual.pdf")
    check(document)
    assert document.title == "Handbook of everything"
    assert document.metadata["author"] == "A. Writer"
    assert document.metadata["pages"] == "2"
    assert document.published_at is not None
    assert outline(document) == [
        ("heading", "The Manual"),
        ("heading", "First part"),
        ("paragraph", SENTENCES.strip()),
        ("paragraph", "It was a careful start."),
        ("heading", "Details"),
        ("paragraph", SENTENCES.strip()),
        ("list", "1. first item"),
        ("list", "2. second item"),
    ]
    assert [block.page for block in document.blocks] == [1, 1, 1, 1, 2, 2, 2, 2]
    assert document.blocks[-1].heading_path == ("First part", "Details")


def test_a_scan_an_encrypted_and_a_broken_file_say_what_they_are() -> None:
    scan = BytesIO()
    canvas = Canvas(scan)
    canvas.rect(10, 10, 100, 100, fill=1)
    canvas.save()
    locked = build(styled("secret"), encrypt=StandardEncryption("password"))
    for data, problem in [
        (scan.getvalue(), "has no text"),
        (locked, "is encrypted"),
        (b"%PDF-1.7\n1 0", "not a readable"),
    ]:
        with pytest.raises(ParseError, match=problem) as caught:
            parse(data, "folder/a.pdf")
        assert "folder/a.pdf" in caught.value.problem
        assert caught.value.fix


def test_a_file_cut_anywhere_gives_a_document_or_a_parse_error() -> None:
    data = build(styled("The Manual", "Title"), styled(SENTENCES))
    for cut in range(0, len(data), 97):
        try:
            check(parse(data[:cut], "a.pdf"))
        except ParseError:
            continue


def test_accident_reports_have_pages_and_headings() -> None:
    for file in sorted(corpus("ntsb_pdf").rglob("*.pdf"))[::5]:
        document = parse(file.read_bytes(), file.name)
        check(document)
        assert {block.page for block in document.blocks} == set(range(1, int(document.metadata["pages"]) + 1))
        headings = [document.text[block.start : block.end] for block in document.blocks if block.kind == "heading"]
        assert any(heading.endswith("Pilot Information") for heading in headings)
        assert not [heading for heading in headings if heading.startswith(("200 rue", "Zone Sud", "Page"))]
        assert "Page 2 of" not in document.text
