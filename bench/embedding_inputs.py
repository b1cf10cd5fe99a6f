"""What the embedding benchmark embeds: real chunks of documentation, as this project's parsers and chunker cut them.

`mixed` are chunks as they come, drawn evenly from three collections; `near240` are those of 220 to 240 tokens, which is
what a full chunk has with default settings. Both are the same on every machine: the seed is fixed.
"""

from __future__ import annotations

import random
from pathlib import Path

from bench.corpora import corpus_folder
from rag_assets.chunking import chunk_document
from rag_assets.config import ChunkingSettings
from rag_assets.documents.parsing import parse
from rag_assets.errors import RagAssetsError
from rag_assets.models.tokenizers import EMBEDDED_TOKENIZER, load_tokenizer

CORPORA = {"argocd_docs": "*.md", "fastapi_docs": "*.md", "peps": "*.rst"}
NEAR_240 = range(220, 241)
SEED = 4
FILES_OF_EACH = 120


def load_inputs(kind: str, count: int) -> list[str]:
    """`count` texts as they are embedded, heading prefix included."""
    found = [(text, tokens) for name, pattern in CORPORA.items() for text, tokens in _chunks(name, pattern)]
    random.Random(SEED).shuffle(found)
    wanted = [text for text, tokens in found if kind == "mixed" or tokens in NEAR_240]
    if len(wanted) < count:
        raise SystemExit(f"The collections have {len(wanted):,} chunks of the kind {kind}; {count:,} were asked for.")
    return wanted[:count]


def _chunks(corpus: str, pattern: str) -> list[tuple[str, int]]:
    tokenizer = load_tokenizer(EMBEDDED_TOKENIZER)
    paths = sorted(corpus_folder(corpus).rglob(pattern))
    random.Random(SEED).shuffle(paths)
    chunks: list[tuple[str, int]] = []
    for path in paths[:FILES_OF_EACH]:
        try:
            document = parse(Path(path).read_bytes(), path.name, language="en")
        except RagAssetsError:
            continue
        found = chunk_document(document, ChunkingSettings(), tokenizer, max_input_tokens=256)
        chunks += [(chunk.input_text, chunk.token_count) for chunk in found]
    return chunks
