"""What chunking returns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document: `document.text[start:end] == text`.

    `input_text` is exactly what is embedded (a heading prefix and `text`) and `token_count` the tokens the model reads
    for it, special tokens included. `heading_path` names the headings that all of the chunk's content stands under;
    `page` is the page of the chunk's text; no chunk has text of two. `ordinal` counts the document's chunks from 0.
    """

    ordinal: int
    text: str
    start: int
    end: int
    heading_path: tuple[str, ...]
    page: int | None
    input_text: str
    token_count: int
