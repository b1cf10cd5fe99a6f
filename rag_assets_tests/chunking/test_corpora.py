"""Real documentation: nothing lost, nothing over the limit, and no code or table cut that would have fitted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from rag_assets.chunking import Chunk, Tokenizer, chunk_document
from rag_assets.config import ChunkingSettings
from rag_assets.documents.model import Block, Document
from rag_assets.documents.parsing import parse
from rag_assets_tests.corpora import corpus

SETTINGS = ChunkingSettings()
LIMIT = SETTINGS.max_tokens
FAST = 40


def _documents(folder: Path, suffix: str, every: int) -> Iterator[Document]:
    for path in islice(sorted(folder.rglob(f"*{suffix}")), 0, None, every):
        yield parse(path.read_bytes(), path.name, language="en")


def _lost(document: Document, chunks: list[Chunk]) -> int:
    """How many characters of blocks are in no chunk, white space left out."""
    missing = np.zeros(len(document.text), bool)
    for block in document.blocks:
        missing[block.start : block.end] = True
    for chunk in chunks:
        assert document.text[chunk.start : chunk.end] == chunk.text
        missing[chunk.start : chunk.end] = False
    return sum(not document.text[at].isspace() for at in np.flatnonzero(missing).tolist())


def _fits(document: Document, block: Block, tokenizer: Tokenizer) -> bool:
    return tokenizer.count(document.text[block.start : block.end]) + tokenizer.special_tokens <= LIMIT


def _check(document: Document, tokenizer: Tokenizer) -> tuple[int, int]:
    """How many blocks of code and tables would fit a chunk, and how many of these are cut."""
    chunks = chunk_document(document, SETTINGS, tokenizer, max_input_tokens=256)
    assert _lost(document, chunks) == 0
    for chunk in chunks:
        assert tokenizer.count(chunk.input_text) + tokenizer.special_tokens == chunk.token_count <= LIMIT
    fitting = [
        block for block in document.blocks if block.kind in ("code", "table") and _fits(document, block, tokenizer)
    ]
    cut = [block for block in fitting if not any(_holds(document, chunk, block) for chunk in chunks)]
    return len(fitting), len(cut)


def _holds(document: Document, chunk: Chunk, block: Block) -> bool:
    """Whether the block is in the chunk, blank lines and indentation around it left out."""
    text = document.text[block.start : block.end]
    first = block.start + len(text) - len(text.lstrip())
    return chunk.start <= first and block.start + len(text.rstrip()) <= chunk.end


@pytest.mark.parametrize("every", [FAST, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("name", "suffix"), [("argocd_docs", ".md"), ("peps", ".rst")])
def test_documentation_is_chunked_whole(name: str, suffix: str, every: int, tokenizer: Tokenizer):
    counts = [_check(document, tokenizer) for document in _documents(corpus(name), suffix, every)]
    fitting, cut = sum(count[0] for count in counts), sum(count[1] for count in counts)
    assert fitting > 20
    assert cut == 0
