"""What holds for every document, setting and tokenizer."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_assets.chunking import Tokenizer, chunk_document
from rag_assets.config import ChunkingSettings
from rag_assets.documents.model import Document
from rag_assets_tests.chunking.builders import documents

SETTINGS = st.builds(
    ChunkingSettings,
    max_tokens=st.sampled_from([16, 24, 48, 128, 240]),
    overlap_tokens=st.integers(0, 8),
    heading_prefix=st.booleans(),
)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=documents(), chunking=SETTINGS)
def test_every_document_keeps_the_invariants(document: Document, chunking: ChunkingSettings, tokenizer: Tokenizer):
    chunks = chunk_document(document, chunking, tokenizer, max_input_tokens=200)

    limit = min(chunking.max_tokens, 200)
    covered = bytearray(len(document.text))
    for ordinal, chunk in enumerate(chunks):
        assert chunk.ordinal == ordinal
        assert chunk.text.strip()
        assert document.text[chunk.start : chunk.end] == chunk.text
        assert chunk.input_text.endswith(chunk.text)
        assert chunk.token_count == tokenizer.count(chunk.input_text) + tokenizer.special_tokens <= limit
        covered[chunk.start : chunk.end] = b"\1" * len(chunk.text)
    assert [chunk.end for chunk in chunks] == sorted({chunk.end for chunk in chunks})
    if not chunking.overlap_tokens:
        assert all(left.end <= right.start for left, right in pairwise(chunks))

    for block in document.blocks:
        text = document.text[block.start : block.end]
        assert all(covered[block.start + i] for i, character in enumerate(text) if not character.isspace())
        if block.kind in ("code", "table") and tokenizer.count(text.strip("\n")) + tokenizer.special_tokens <= limit:
            assert any(text.strip() in chunk.text for chunk in chunks)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=documents(), chunking=SETTINGS)
def test_chunks_carry_the_path_of_their_content(document: Document, chunking: ChunkingSettings, bytepair: Tokenizer):
    for chunk in chunk_document(document, chunking, bytepair, max_input_tokens=200):
        parts = [block for block in document.blocks if block.start < chunk.end and block.end > chunk.start]
        content = [block for block in parts if block.kind != "heading"] or parts
        assert all(block.heading_path[: len(chunk.heading_path)] == chunk.heading_path for block in content)
        if len({block.heading_path for block in content}) == 1:
            assert chunk.heading_path == content[0].heading_path


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=documents(), chunking=SETTINGS)
def test_the_same_document_gives_the_same_chunks(document: Document, chunking: ChunkingSettings, tokenizer: Tokenizer):
    first = chunk_document(document, chunking, tokenizer, max_input_tokens=200)
    assert chunk_document(document, chunking, tokenizer, max_input_tokens=200) == first
