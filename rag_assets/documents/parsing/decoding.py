"""Bytes to text: byte order marks, UTF-8, a declared charset, then detection."""

from __future__ import annotations

import codecs

from rag_assets.documents.parsing.draft import clean
from rag_assets.errors import ParseError

# UTF-32 before UTF-16: the little-endian mark of the first starts with that of the second.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE_BYTES = 4_096
_BINARY_NUL_SHARE = 0.01
# In UTF-16 most of a European text's bytes at one of the two parities are NUL.
_UTF16_NUL_SHARE = 0.3
# Of the bytes of a text in Latin script that is not UTF-8, those that are not ASCII.
_LATIN_HIGH_SHARE = 0.25
_TRUSTED_BYTES = 200
_CENTRAL_EUROPEAN = ("Czech", "Polish", "Slovak", "Hungarian", "Croatian", "Slovene", "Romanian")


def decode(data: bytes, uri: str, *, declared: str | None = None) -> str:
    """The text of `data` with `\\n` line ends. Raises `ParseError` when it is binary or in no known encoding."""
    text = _decode(data, uri, declared)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return clean(text)


def _decode(data: bytes, uri: str, declared: str | None) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    utf16 = _utf16_without_mark(data)
    if utf16 is not None:
        return data.decode(utf16, "replace")
    if data.count(0) > len(data) * _BINARY_NUL_SHARE:
        raise ParseError(f"{uri} is not text: it holds binary data.", fix="Exclude it, or give it its real suffix.")
    for encoding in ("utf-8", declared or "utf-8"):
        try:
            return data.decode(encoding)
        except (UnicodeError, LookupError):
            continue
    return _detect(data, uri)


def _utf16_without_mark(data: bytes) -> str | None:
    sample = data[:_SAMPLE_BYTES]
    if len(sample) < 2 or len(data) % 2:
        return None
    even, odd = sample[0::2].count(0) / (len(sample) / 2), sample[1::2].count(0) / (len(sample) / 2)
    if odd > _UTF16_NUL_SHARE and even < _BINARY_NUL_SHARE:
        return "utf-16-le"
    if even > _UTF16_NUL_SHARE and odd < _BINARY_NUL_SHARE:
        return "utf-16-be"
    return None


def _detect(data: bytes, uri: str) -> str:
    from charset_normalizer import from_bytes

    if sum(byte > 127 for byte in data) < len(data) * _LATIN_HIGH_SHARE:
        # Few bytes tell the encodings of Latin script apart from one another, and none from those of East Asia.
        latin = from_bytes(data, cp_isolation=["cp1252", "cp1250"])
        best = latin.best()
        central = best is not None and len(data) >= _TRUSTED_BYTES and best.language in _CENTRAL_EUROPEAN
        if not central and any("cp1252" in match.could_be_from_charset for match in latin):
            return data.decode("cp1252")
        if best is not None:
            return str(best)
    best = from_bytes(data).best()
    if best is None:
        raise ParseError(f"{uri} is in no text encoding that is known.", fix="Save it as UTF-8.")
    return str(best)
