"""What the other floors know of a document: its text, its blocks, and where it came from.

Offsets count characters of `Document.text`, so `text[block.start:block.end]` is the block. Whatever the file type was,
a document has the same shape; an empty file is a document with text "" and no blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

BlockKind = Literal["heading", "paragraph", "list", "table", "code", "quote", "other"]


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a document's text that reads as one piece.

    `level` is 1-6 for a heading and 0 for everything else; `page` counts from 1 and is None where a format has no
    pages; `heading_path` names the headings above the block, outermost first, and for a heading ends with itself.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    page: int | None = None
    heading_path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document. `blocks` are sorted, do not overlap, are not blank and lie inside `text`.

    `parser` is the parser's name and version ("markdown@1"); `language` an ISO 639-1 code, or None when unsure;
    `published_at` is aware and in UTC, and comes from the document itself, never from the file's times.
    """

    text: str
    blocks: tuple[Block, ...]
    title: str
    media_type: str
    parser: str
    language: str | None = None
    published_at: datetime | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listed:
    """A document that a source has. `uri` is a POSIX path relative to the source's root.

    `fingerprint` costs no read of the content (size, times, inode; or an ETag): when it is equal, so is the content.
    """

    uri: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The bytes of a document. `fingerprint` held before and after reading; `content_hash` is the SHA-256 of `data`."""

    uri: str
    data: bytes
    content_hash: str
    fingerprint: str
