"""PDF by PDFium. Text is read page by page in the order it is drawn; each block knows its page.

Lines become paragraphs where the gap between them, or their font, changes; a line set larger than the body, or in bold
by itself, is a heading. Lines that stand at the top or bottom of most pages are dropped, and words cut at a line's end
are joined.
"""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta, timezone

from rag_assets.documents.parsing.draft import Draft, DraftBuilder, metadata_of, one_line
from rag_assets.documents.parsing.pdf_layout import paragraphs, without_running_lines
from rag_assets.documents.parsing.pdf_lines import Line, read_lines
from rag_assets.documents.parsing.quiet import quiet
from rag_assets.errors import ParseError

PARSER = "pdf@1"
MEDIA_TYPE = "application/pdf"

_DATE = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:([+-])(\d{2})'?(\d{2})?|Z)?")
# What office programs put into the title: the name of a file.
_FILE_TITLE = re.compile(
    r"^(?:microsoft \w+ - |untitled|\(?anonymous)|\.(?:docx?|pdf|indd|tex|dvi|rtf|xlsx?|pptx?)$", re.I
)
# PDFium keeps state of its own and must not be entered by two threads.
_ONE_AT_A_TIME = threading.Lock()


def parse(data: bytes, uri: str) -> Draft:
    """The draft of a PDF file. Raises `ParseError` for one that is broken, encrypted or holds only images."""
    with quiet("pypdfium2"), _ONE_AT_A_TIME:
        pages, properties = _read(data, uri)
    if not any(pages):
        raise ParseError(
            f"{uri} has no text on its {len(pages)} page(s): it is a scan or holds only drawings.",
            fix="Run it through character recognition (OCR) first, or exclude it.",
        )
    builder = DraftBuilder()
    for paragraph in paragraphs(without_running_lines(pages)):
        builder.add_text(paragraph.kind, paragraph.text, level=paragraph.level, page=paragraph.page)
    draft = builder.finish()
    title = one_line(properties.pop("Title", ""))
    draft.title = title if title and not _FILE_TITLE.search(title) else draft.title
    draft.published_at = _read_date(properties.get("CreationDate", ""))
    draft.metadata = metadata_of({name.lower(): value for name, value in properties.items() if "Date" not in name})
    draft.metadata["pages"] = str(len(pages))
    return draft


def _read(data: bytes, uri: str) -> tuple[list[list[Line]], dict[str, str]]:
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower() or "security" in str(error).lower():
            raise ParseError(f"{uri} is encrypted.", fix="Save it without a password, or exclude it.") from None
        raise ParseError(f"{uri} is not a readable PDF file.", fix="Replace the file, or exclude it.") from None
    try:
        pages = [read_lines(document, number) for number in range(len(document))]
        return pages, dict(document.get_metadata_dict())
    except pdfium.PdfiumError as error:
        raise ParseError(f"{uri} has a page that cannot be read: {error}.", fix="Repair or replace the file.") from None
    finally:
        document.close()


def _read_date(text: str) -> datetime | None:
    match = _DATE.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) if part else None for part in match.groups()[:6])
    offset = timedelta(hours=int(match[8] or 0), minutes=int(match[9] or 0))
    try:
        local = datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0)
        return local.replace(tzinfo=timezone(-offset if match[7] == "-" else offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
