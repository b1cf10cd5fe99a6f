"""What holds for every document, whatever it was parsed from."""

from __future__ import annotations

from rag_assets.documents.model import Document


def check(document: Document) -> None:
    """Asserts the invariants that `Document` states."""
    end = 0
    for block in document.blocks:
        assert end <= block.start < block.end <= len(document.text), block
        assert document.text[block.start : block.end].strip(), block
        assert 1 <= block.level <= 6 if block.kind == "heading" else block.level == 0, block
        end = block.end
    assert document.text == "" or document.blocks
    assert document.title.strip()
    assert document.language is None or len(document.language) == 2
    assert document.published_at is None or document.published_at.utcoffset() is not None
    document.text.encode()  # no lone surrogate: a table could not hold it
    assert "\0" not in document.text


def outline(document: Document) -> list[tuple[str, str]]:
    """Kind and text of each block."""
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]
