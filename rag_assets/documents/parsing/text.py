"""Plain text: paragraphs are set off by blank lines."""

from __future__ import annotations

import re

from rag_assets.documents.parsing.decoding import decode
from rag_assets.documents.parsing.draft import Draft, DraftBuilder

PARSER = "text@1"
MEDIA_TYPE = "text/plain"

_PARAGRAPH = re.compile(r"^[^\S\n]*\S.*(?:\n[^\S\n]*\S.*)*", re.MULTILINE)


def parse(data: bytes, uri: str) -> Draft:
    """The draft of a text file. Raises `ParseError`."""
    text = decode(data, uri)
    builder = DraftBuilder(text)
    for paragraph in _PARAGRAPH.finditer(text):
        builder.add_span("paragraph", *paragraph.span())
    return builder.finish()
